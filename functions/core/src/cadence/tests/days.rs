//! Days that depend on their month, compared with a check of every single day.

use jiff::civil::Date;
use proptest::prelude::*;

use super::{Cadence, at, cron};
use crate::time::UnixMillis;

#[derive(Clone, Debug)]
enum Day {
    Plain(i8),
    Last,
    LastWorkday,
    Nearest(i8),
}

#[derive(Clone, Debug)]
enum Weekday {
    Plain(i8),
    Last(i8),
    Nth(i8, i8),
}

fn weekday_of(date: Date) -> i8 {
    date.weekday().to_sunday_zero_offset()
}

fn is_workday(date: Date) -> bool {
    (1..=5).contains(&weekday_of(date))
}

/// The Monday to Friday of the month that is nearest to the day; Friday and Monday are never equally near.
fn nearest_workday(month: Date, day: i8) -> Option<Date> {
    month.with().day(day).build().ok()?;
    let days = (1..=month.days_in_month()).map(|day| month.with().day(day).build().unwrap());
    days.filter(|it| is_workday(*it)).min_by_key(|it| (it.day() - day).abs())
}

impl Day {
    fn text(&self) -> String {
        match self {
            Self::Plain(day) => day.to_string(),
            Self::Last => "L".into(),
            Self::LastWorkday => "LW".into(),
            Self::Nearest(day) => format!("{day}W"),
        }
    }

    fn matches(&self, date: Date) -> bool {
        match self {
            Self::Plain(day) => date.day() == *day,
            Self::Last => date == date.last_of_month(),
            Self::LastWorkday => {
                let last = std::iter::successors(Some(date.last_of_month()), |it| it.yesterday().ok());
                last.take(7).find(|it| is_workday(*it)) == Some(date)
            }
            Self::Nearest(day) => nearest_workday(date, *day) == Some(date),
        }
    }
}

impl Weekday {
    fn text(&self) -> String {
        match self {
            Self::Plain(day) => day.to_string(),
            Self::Last(day) => format!("{day}L"),
            Self::Nth(day, nth) => format!("{day}#{nth}"),
        }
    }

    fn matches(&self, date: Date) -> bool {
        let (day, in_month) = match self {
            Self::Plain(day) => (*day, true),
            Self::Last(day) => (*day, date.day() + 7 > date.days_in_month()),
            Self::Nth(day, nth) => (*day, (date.day() + 6) / 7 == *nth),
        };
        day % 7 == weekday_of(date) && in_month
    }
}

fn days() -> impl Strategy<Value = Vec<Day>> {
    let last = prop_oneof![Just(Day::Last), Just(Day::LastWorkday)];
    let day = prop_oneof![(1..=31_i8).prop_map(Day::Plain), (1..=31_i8).prop_map(Day::Nearest)];
    (prop::collection::vec(day, 0..3), prop::option::of(last))
        .prop_map(|(days, last)| days.into_iter().chain(last).collect())
}

fn weekdays() -> impl Strategy<Value = Vec<Weekday>> {
    let weekday = prop_oneof![
        (0..=7_i8).prop_map(Weekday::Plain),
        (0..=7_i8).prop_map(Weekday::Last),
        (0..=7_i8, 1..=5_i8).prop_map(|(day, nth)| Weekday::Nth(day, nth)),
    ];
    prop::collection::vec(weekday, 0..3)
}

fn field<T>(items: &[T], text: fn(&T) -> String, star: &str) -> String {
    if items.is_empty() { star.to_owned() } else { items.iter().map(text).collect::<Vec<_>>().join(",") }
}

proptest! {
    #[test]
    fn days_of_the_month_and_of_the_week_are_those_of_the_calendar(
        (days, weekdays, stars) in (days(), weekdays(), 0..3_u8), year in 1990..2100_i16,
    ) {
        let (mut day, mut weekday) = (field(&days, Day::text, "*"), field(&weekdays, Weekday::text, "?"));
        // A star in front of a list changes what the two fields mean together.
        let (star_day, star_weekday) = (stars == 1 && !days.is_empty(), stars == 2 && !weekdays.is_empty());
        if star_day {
            day = format!("*/30,{day}");
        }
        if star_weekday {
            weekday = format!("*/6,{weekday}");
        }
        let names = |date: Date| {
            let by_day = days.iter().any(|it| it.matches(date)) || star_day && [1, 31].contains(&date.day());
            let by_weekday =
                weekdays.iter().any(|it| it.matches(date)) || star_weekday && [0, 6].contains(&weekday_of(date));
            match (days.is_empty(), weekdays.is_empty()) {
                (true, true) => true,
                (true, false) => by_weekday,
                (false, true) => by_day,
                (false, false) if star_day || star_weekday => by_day && by_weekday,
                (false, false) => by_day || by_weekday,
            }
        };
        let from = Date::new(year, 1, 1).unwrap();
        let expected: Vec<_> = from.series(jiff::Span::new().days(1)).take(365).filter(|date| names(*date)).collect();
        let expression = format!("0 0 {day} * {weekday}");
        let start = at(&format!("{from}T00:00:00Z"));
        let cadence = Cadence::of(&cron(&expression, "UTC"), start);
        let end = at(&format!("{}T00:00:00Z", from.checked_add(jiff::Span::new().days(365)).unwrap()));
        let found = std::iter::successors(cadence.next_from(start), |last: &UnixMillis| cadence.next_after(*last));
        let found: Vec<_> = found.take_while(|at| *at < end).map(|at| at.to_string()).collect();
        let expected: Vec<_> = expected.iter().map(|date| format!("{date}T00:00:00Z")).collect();
        prop_assert_eq!(found, expected, "{}", expression);
    }
}
