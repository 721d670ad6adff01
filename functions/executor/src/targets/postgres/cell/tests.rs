use super::*;

fn of(of: &Type, raw: &[u8]) -> Value {
    assert!(is_known(of), "{of}");
    read(of, raw).unwrap_or_else(|| panic!("{of} {raw:?}"))
}

/// A numeric of these digits of base 10000.
fn numeric(weight: i16, sign: u16, scale: i16, digits: &[i16]) -> Vec<u8> {
    let head = [i16::try_from(digits.len()).unwrap(), weight, sign.cast_signed(), scale];
    head.iter().chain(digits).flat_map(|part| part.to_be_bytes()).collect()
}

#[test]
fn numbers_keep_every_digit() {
    for (raw, expected) in [
        (numeric(0, 0, 0, &[]), "0"),
        (numeric(0, 0, 2, &[]), "0.00"),
        (numeric(0, 0, 2, &[1, 5_000]), "1.50"),
        (numeric(0, 0x4000, 1, &[99, 5_000]), "-99.5"),
        (numeric(1, 0, 0, &[1]), "10000"),
        (numeric(2, 0, 3, &[1, 0, 20, 1_230]), "100000020.123"),
        (numeric(-1, 0, 3, &[10]), "0.001"),
        (numeric(-3, 0, 12, &[7]), "0.000000000007"),
        (numeric(4, 0, 2, &[1_234, 5_678, 9_012, 3_456, 7_890, 1_000]), "12345678901234567890.10"),
        (numeric(0, 0xC000, 0, &[]), "NaN"),
        (numeric(0, 0xD000, 0, &[]), "Infinity"),
        (numeric(0, 0xF000, 0, &[]), "-Infinity"),
    ] {
        assert_eq!(of(&Type::NUMERIC, &raw), json!(expected));
    }
    assert_eq!(of(&Type::FLOAT4, &0.1_f32.to_be_bytes()), json!(0.1));
    assert_eq!(of(&Type::FLOAT8, &1e300_f64.to_be_bytes()), json!(1e300));
    assert_eq!(of(&Type::FLOAT8, &f64::NAN.to_be_bytes()), json!("NaN"));
    assert_eq!(of(&Type::FLOAT4, &f32::NEG_INFINITY.to_be_bytes()), json!("-Infinity"));
    assert_eq!(of(&Type::INT8, &i64::MIN.to_be_bytes()), json!(i64::MIN));
}

#[test]
fn instants_days_and_spans_are_written_as_iso_8601_has_them() {
    let day = |year: i16, month, day| {
        let since = jiff::civil::date(year, month, day).since(jiff::civil::date(2000, 1, 1)).unwrap();
        since.get_days()
    };
    for (days, expected) in [
        (0, "2000-01-01"),
        (day(2026, 3, 29), "2026-03-29"),
        (day(2024, 2, 29), "2024-02-29"),
        (day(1900, 3, 1), "1900-03-01"),
        (day(1600, 2, 29), "1600-02-29"),
        (day(1, 1, 1), "0001-01-01"),
        (day(0, 12, 31), "0000-12-31"),
        (day(-43, 3, 15), "-000043-03-15"),
        (day(9_999, 12, 31), "9999-12-31"),
        (day(9_999, 12, 31) + 1, "+010000-01-01"),
        (i32::MAX, "infinity"),
        (i32::MIN, "-infinity"),
    ] {
        assert_eq!(of(&Type::DATE, &days.to_be_bytes()), json!(expected));
    }
    for (micros, expected) in [
        (0, "2000-01-01T00:00:00"),
        (1, "2000-01-01T00:00:00.000001"),
        (-1, "1999-12-31T23:59:59.999999"),
        (43_200_500_000, "2000-01-01T12:00:00.5"),
        (i64::MAX, "infinity"),
    ] {
        assert_eq!(of(&Type::TIMESTAMP, &i64::to_be_bytes(micros)), json!(expected));
    }
    assert_eq!(of(&Type::TIMESTAMPTZ, &0_i64.to_be_bytes()), json!("2000-01-01T00:00:00Z"));
    assert_eq!(of(&Type::TIME, &86_400_000_000_i64.to_be_bytes()), json!("24:00:00"));
    let timetz = [&0_i64.to_be_bytes()[..], &(-19_800_i32).to_be_bytes()].concat();
    assert_eq!(of(&Type::TIMETZ, &timetz), json!("00:00:00+05:30"));
    for (micros, days, months, expected) in [
        (0, 0, 0, "PT0S"),
        (14_706_500_000, 3, 14, "P1Y2M3DT4H5M6.5S"),
        (-500_000, 0, -13, "P-1Y-1MT-0.5S"),
        (0, -3, 0, "P-3D"),
        (-3_661_000_000, 0, 0, "PT-1H-1M-1S"),
    ] {
        let raw = [&i64::to_be_bytes(micros)[..], &i32::to_be_bytes(days), &i32::to_be_bytes(months)].concat();
        assert_eq!(of(&Type::INTERVAL, &raw), json!(expected));
    }
}

#[test]
fn texts_documents_and_bytes_are_what_they_are() {
    assert_eq!(of(&Type::TEXT, "é\"".as_bytes()), json!("é\""));
    assert_eq!(of(&Type::BOOL, &[1]), json!(true));
    assert_eq!(of(&Type::BYTEA, &[0, 255]), json!("AP8="));
    assert_eq!(of(&Type::JSON, b"{\"a\": [1]}"), json!({"a": [1]}));
    assert_eq!(of(&Type::JSONB, b"\x01[null]"), json!([null]));
    assert_eq!(of(&Type::JSONB, b"\x01[1e400]"), json!("[1e400]"));
    assert_eq!(of(&Type::UUID, &[0x12; 16]), json!("12121212-1212-1212-1212-121212121212"));
    assert_eq!(of(&Type::INET, &[2, 32, 0, 4, 10, 0, 0, 1]), json!("10.0.0.1"));
    assert_eq!(of(&Type::INET, &[2, 8, 0, 4, 10, 0, 0, 1]), json!("10.0.0.1/8"));
    assert_eq!(of(&Type::CIDR, &[&[3, 128, 1, 16][..], &[0; 15], &[1]].concat()), json!("::1/128"));
    assert_eq!(of(&Type::VOID, b""), json!(null));
}

#[test]
fn arrays_are_nested_by_dimension() {
    let parts = |parts: &[i32]| parts.iter().flat_map(|part| part.to_be_bytes()).collect::<Vec<_>>();
    let int4 = 23;
    assert_eq!(of(&Type::INT4_ARRAY, &parts(&[0, 0, int4])), json!([]));
    assert_eq!(of(&Type::INT4_ARRAY, &parts(&[1, 1, int4, 2, 1, 4, 7, -1])), json!([7, null]));
    let two_by_two = parts(&[2, 0, int4, 2, 1, 2, 1, 4, 1, 4, 2, 4, 3, 4, 4]);
    assert_eq!(of(&Type::INT4_ARRAY, &two_by_two), json!([[1, 2], [3, 4]]));
    assert_eq!(read(&Type::INT4_ARRAY, &parts(&[1, 0, int4, i32::MAX, 1, 4, 7])), None);
}

#[test]
fn what_is_cut_off_or_unknown_is_no_value() {
    for of in
        [Type::BOOL, Type::INT8, Type::NUMERIC, Type::UUID, Type::INTERVAL, Type::INET, Type::JSONB, Type::INT4_ARRAY]
    {
        assert_eq!(read(&of, &[]), None, "{of}");
    }
    assert_eq!(read(&Type::NUMERIC, &numeric(0, 0, 0, &[10_000])), None);
    for of in [Type::POINT, Type::INT4_RANGE, Type::TS_VECTOR, Type::MONEY, Type::RECORD, Type::POINT_ARRAY] {
        assert!(!is_known(&of), "{of}");
    }
}
