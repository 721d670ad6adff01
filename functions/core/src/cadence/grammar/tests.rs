use super::super::days::DayRule;
use super::*;

/// The expression as plain lists: no ranges, no steps, no names.
fn plain(text: &str) -> String {
    let read = read(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    let list = |bits: u64, least: u8, most: u8, rules: &[DayRule]| {
        if (least..=most).all(|value| bits >> value & 1 == 1) {
            return "*".to_owned();
        }
        let values = (0..64).filter(|value| bits >> value & 1 == 1).map(|value: u8| value.to_string());
        let rules = rules.iter().map(|rule| match rule {
            DayRule::Last => "L".to_owned(),
            DayRule::LastWorkday => "LW".to_owned(),
            DayRule::NearestWorkday(day) => format!("{day}W"),
            DayRule::LastWeekday(weekday) => format!("{weekday}L"),
            DayRule::NthWeekday(weekday, nth) => format!("{weekday}#{nth}"),
        });
        values.chain(rules).collect::<Vec<_>>().join(",")
    };
    let Days { of_month, of_week } = &read.days;
    [
        list(read.seconds, 0, 59, &[]),
        list(read.minutes, 0, 59, &[]),
        list(read.hours, 0, 23, &[]),
        list(of_month.bits, 1, 31, &of_month.rules),
        list(read.months, 1, 12, &[]),
        list(of_week.bits, 0, 6, &of_week.rules),
    ]
    .join(" ")
}

#[test]
fn every_form_names_the_values_of_a_plain_list() {
    for (text, expected) in [
        ("* * * * *", "0 * * * * *"),
        ("0 0 ? * ?", "0 0 0 * * *"),
        ("5/15 */23 1-5/2 JAN,jul mon-FRI", "0 5,20,35,50 0,23 1,3,5 1,7 1,2,3,4,5"),
        ("00 09 * * SUN", "0 0 9 * * 0"),
        (" 1\t2  3 4 7 ", "0 1 2 3 4 0"),
        ("30 0 0 1-31 1-12 0-6", "30 0 0 * * *"),
        (
            "30 0 0 2-31 2-12 0-5",
            "30 0 0 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31 2,3,4,5,6,7,8,9,10,11,12 0,1,2,3,4,5",
        ),
        ("0 0 l,1,15w * 5L,MON#1,7#2,fril", "0 0 0 1,L,15W * 5L,1#1,0#2,5L"),
        ("0 0 LW * sat-sun", "0 0 0 LW * 0,6"),
        ("0 0 *,10 * SUN-SUN", "0 0 0 * * 0"),
        ("0 0 * * */2", "0 0 0 * * 0,2,4,6"),
        ("0 0 * * 1/2", "0 0 0 * * 0,1,3,5"),
        ("0 0 * * */12", "0 0 0 * * 0"),
        ("@HOURLY", "0 0 * * * *"),
    ] {
        assert_eq!(plain(text), expected, "{text}");
    }
}

#[test]
fn stars_in_front_decide_what_a_job_is() {
    for (text, fixed, both) in [
        ("0,30 1-4 1 * 1", true, false),
        ("* 1 1 * 1", false, false),
        ("0 */2 1 * 1", false, false),
        ("0-59 1 1 * 1", true, false),
        ("0 1 */2 * 1", true, true),
        ("0 1 1 * ?", true, true),
        ("* 0 1 1 * 1", true, false),
        ("5,*/10 0 1 * *", true, true),
        ("0 1 1-31 * 0-6", true, false),
    ] {
        let expression = read(text).unwrap();
        assert_eq!((expression.is_fixed, expression.days.needs_both()), (fixed, both), "{text}");
    }
}

#[test]
fn a_fault_names_its_field_and_character() {
    for (text, field, at) in [
        ("", None, 1),
        ("* * * *", None, 8),
        ("* * * * * * *", None, 13),
        ("@dayly", None, 1),
        ("60 * * * *", Some("minute"), 1),
        ("* 24 * * *", Some("hour"), 3),
        ("* * 32 * *", Some("day of month"), 5),
        ("* * * 13 *", Some("month"), 7),
        ("* * * * 8", Some("day of week"), 9),
        ("60 * * * * *", Some("second"), 1),
        ("1,,2 * * * *", Some("minute"), 3),
        ("1, * * * *", Some("minute"), 3),
        (", * * * *", Some("minute"), 1),
        ("1- * * * *", Some("minute"), 3),
        ("5-1 * * * *", Some("minute"), 3),
        ("*/0 * * * *", Some("minute"), 3),
        ("*5 * * * *", Some("minute"), 2),
        ("1/2/3 * * * *", Some("minute"), 4),
        ("007 * * * *", Some("minute"), 1),
        ("MON * * * *", Some("minute"), 1),
        ("? * * * *", Some("minute"), 1),
        ("* * 1,? * *", Some("day of month"), 7),
        ("* * L,LW * *", Some("day of month"), 7),
        ("* * L-3 * *", Some("day of month"), 6),
        ("* * 1-5W * *", Some("day of month"), 8),
        ("* * * JANUARY *", Some("month"), 10),
        ("* * * * L", Some("day of week"), 9),
        ("@every 5m", None, 1),
        ("* * * * 1#6", Some("day of week"), 11),
        ("* * * * 1-2#1", Some("day of week"), 12),
        ("* é * * *", Some("hour"), 3),
        ("1é * * * *", Some("minute"), 2),
    ] {
        let fault = read(text).unwrap_err();
        assert_eq!((fault.field, fault.at), (field, at), "{text}: {fault}");
    }
}

#[test]
fn what_is_too_long_is_refused_where_it_is_too_long() {
    for text in ["1,".repeat(5_000), "* ".repeat(5_000), "é".repeat(257)] {
        assert_eq!(read(&text).unwrap_err().at, 257);
    }
    assert!(read(&format!("0 0 1 1 {}", "1,".repeat(123) + "10")).is_err());
    assert_eq!(read(&("* ".repeat(61))).unwrap_err().at, 13);
}
