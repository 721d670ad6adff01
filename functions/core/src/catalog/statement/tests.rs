use super::*;
use crate::catalog::Decimal;

fn refused(text: &str) -> (FieldCode, String) {
    match Statement::parse(text) {
        Ok(statement) => panic!("{text} gave {statement:?}"),
        Err(fault) => fault,
    }
}

fn kinds(text: &str) -> Vec<(String, Kind, bool)> {
    let statement = Statement::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
    let all = statement.placeholders().iter();
    all.map(|it| (it.name.clone(), it.kind.clone(), it.is_optional)).collect()
}

#[test]
fn a_placeholder_has_a_name_a_type_and_bounds() {
    let decimal = |text| Decimal::parse(text);
    for (written, kind) in [
        ("{{a}}", Kind::Text(0..=usize::MAX)),
        ("{{a:STRING}}", Kind::Text(0..=usize::MAX)),
        ("{{a:STRING:1:20}}", Kind::Text(1..=20)),
        ("{{ a : STRING : : 20 }}", Kind::Text(0..=20)),
        ("{{a:INTEGER:-5}}", Kind::Integer(-5..=i64::MAX)),
        ("{{a:INTEGER::9223372036854775807}}", Kind::Integer(i64::MIN..=i64::MAX)),
        ("{{a:DOUBLE:-0.5:1e3}}", Kind::Double(-0.5..=1_000.0)),
        ("{{a:NUMERIC:0.01:}}", Kind::Numeric(decimal("0.01"), None)),
        ("{{a:NUMERIC}}", Kind::Numeric(None, None)),
        ("{{a:BOOLEAN}}", Kind::Boolean),
        ("{{a:UUID}}", Kind::Uuid),
        ("{{a:TIMESTAMP}}", Kind::Timestamp),
        ("{{a:DATE}}", Kind::Date),
        ("{{a:JSON}}", Kind::Json),
        ("{{a:BYTES:0:3}}", Kind::Bytes(0..=3)),
    ] {
        assert_eq!(kinds(written), [("a".to_owned(), kind, false)], "{written}");
    }
    assert_eq!(kinds("{{_a1?:UUID}}"), [("_a1".to_owned(), Kind::Uuid, true)]);
    assert_eq!(kinds("{{a?}}"), [("a".to_owned(), Kind::Text(0..=usize::MAX), true)]);
    assert_eq!(kinds("SELECT 1"), []);
}

#[test]
fn a_name_that_stands_again_is_the_same_value() {
    let statement = Statement::parse("f({{a}}, {{b?:DATE}}, {{a:UUID}}, {{b}}, {{a}})").unwrap();
    assert_eq!(statement.mentions().collect::<Vec<_>>(), [0, 1, 0, 1, 0]);
    assert_eq!(statement.spelled(|index| format!("${}", index + 1)), "f($1, $2, $1, $2, $1)");
    let found = kinds("f({{a}}, {{b?:DATE}}, {{a:UUID}}, {{b}}, {{a}})");
    assert_eq!(found, [("a".to_owned(), Kind::Uuid, false), ("b".to_owned(), Kind::Date, true)]);
    for text in ["{{a:UUID}} {{a:DATE}}", "{{a:INTEGER:1:2}} {{a:INTEGER:1:3}}", "{{a?:UUID}} {{a:UUID}}"] {
        assert_eq!(refused(text).0, FieldCode::Conflict, "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_placeholder_is_said() {
    for (text, word) in [
        ("{{}}", "a placeholder is"),
        ("{{1a}}", "a placeholder is"),
        ("{{a b}}", "a placeholder is"),
        ("{{a'}}", "a placeholder is"),
        ("{{a", "does not end"),
        ("{{a:}}", "no type"),
        ("{{a:string}}", "did you mean \"STRING\""),
        ("{{a:INTGER}}", "did you mean \"INTEGER\""),
        ("{{a:INTEGER:1:2:3}}", "at most"),
        ("{{a:INTEGER:2:1}}", "more than"),
        ("{{a:INTEGER:1.5}}", "no bound"),
        ("{{a:INTEGER:9223372036854775808}}", "no bound"),
        ("{{a:DOUBLE:NaN}}", "no bound"),
        ("{{a:DOUBLE::inf}}", "no bound"),
        ("{{a:NUMERIC:1e3}}", "no bound"),
        ("{{a:NUMERIC:1.01:1.001}}", "more than"),
        ("{{a:STRING:-1}}", "no bound"),
        ("{{a:BYTES:3:2}}", "more than"),
        ("{{a:UUID:1}}", "no bounds"),
        ("{{a:BOOLEAN::1}}", "no bounds"),
    ] {
        let (code, detail) = refused(text);
        assert!(code == FieldCode::Malformed && detail.contains(word), "{text}: {detail}");
    }
    let many: Vec<String> = (0..101).map(|index| format!("{{{{n{index}}}}}")).collect();
    assert_eq!(refused(&many.join(", ")).0, FieldCode::OutOfRange);
}

#[test]
fn a_placeholder_inside_of_quotes_is_refused() {
    for text in [
        "SELECT '{{a}}'",
        "SELECT 'it''s {{a:UUID}}'",
        r"SELECT E'it\'s {{a}}'",
        r"SELECT e'\\\'{{a}}'",
        r#"SELECT "{{a}}" FROM t"#,
        r#"SELECT "x""{{ a }}" FROM t"#,
        "SELECT 1 -- {{a}}",
        "SELECT 1 /* {{a?}} */",
        "SELECT 1 /* /* */ {{a}} */",
        "SELECT $${{a}}$$",
        "SELECT $tag$ $$ {{a}} $tag$",
        "SELECT '{{1,2}}', '{{a}}'",
    ] {
        let (code, detail) = refused(text);
        assert!(code == FieldCode::Malformed && detail.contains("inside of quotes"), "{text}: {detail}");
    }
}

#[test]
fn what_is_quoted_is_left_alone() {
    for text in [
        "SELECT 'a', '', '''', 'x''y', \"a\"\"b\" WHERE i = {{i}}",
        "SELECT '{{1,2},{3,4}}'::int[] WHERE i = {{i}}",
        r"SELECT E'\'' WHERE i = {{i}}",
        r"SELECT 'C:\' WHERE i = {{i}}",
        r"SELECT type'\' WHERE i = {{i}}",
        "SELECT 1 -- it's\n WHERE i = {{i}}",
        "SELECT 1 /* it's /* \" */ */ WHERE i = {{i}}",
        "SELECT $$it's$$, $a$ $$ ' $a$, '$1' WHERE i = {{i}}",
        "SELECT foo$1, a - -1, b / 2, é WHERE i={{i}}::int",
        "SELECT j ? 'k', a[1:2] WHERE i IN ({{i}},{{i}})",
    ] {
        let statement = Statement::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        assert_eq!(statement.spelled(|_| "{{i}}".to_owned()), text);
        assert_eq!(statement.placeholders().len(), 1, "{text}");
    }
}

#[test]
fn what_would_change_the_meaning_of_a_parameter_is_refused() {
    for (text, word) in [
        ("SELECT $1", "not as $1"),
        ("SELECT {{a}} + $2", "not as $1"),
        ("LIMIT {{a}}0", "touch"),
        ("LIMIT 1{{a}}", "touch"),
        ("SELECT {{a}}{{b}}", "touch"),
        ("SELECT x{{a}}", "touch"),
        ("SELECT {{a}}_b", "touch"),
        ("SELECT E{{a}}", "touch"),
        ("SELECT ${{a}}", "touch"),
        ("SELECT 'open {{a}}", "does not end"),
        ("SELECT \"open", "does not end"),
        (r"SELECT E'open\'", "does not end"),
        ("SELECT /* open /* */", "does not end"),
        ("SELECT $a$ open $b$", "does not end"),
    ] {
        let (code, detail) = refused(text);
        assert!(code == FieldCode::Malformed && detail.contains(word), "{text}: {detail}");
    }
}

#[test]
fn a_statement_that_is_nothing_but_braces_or_quotes_costs_no_time() {
    for unit in ["{{", "'", "$", "$a", "/*", "*/", "\"", "\\'", "{{a}} ", "'{{'", "-", "E'\\"] {
        drop(Statement::parse(&unit.repeat(65_536 / unit.len())));
    }
}
