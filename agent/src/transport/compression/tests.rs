use super::*;

const COMPRESSED: [Encoding; 4] = [
    Encoding::Gzip,
    Encoding::Zstd,
    Encoding::Deflate,
    Encoding::Snappy,
];

/// Text with some repetition, different in each line.
fn sample(size: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(size + 64);
    let mut number = 7_u64;
    while text.len() < size {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        text.extend_from_slice(format!("request {number} took {} ms\n", number >> 50).as_bytes());
    }
    text.truncate(size);
    text
}

#[test]
fn every_encoding_gives_back_what_went_in() {
    for encoding in COMPRESSED.into_iter().chain([Encoding::Identity]) {
        for size in [0, 1, 100, 5_000, 300_000, 3_000_000] {
            let plain = sample(size);
            let packed = compress(encoding, None, &plain).unwrap();
            let back = inflate(encoding, &packed, size).unwrap();
            assert!(back == plain, "{encoding:?} of {size} bytes");
        }
    }
}

#[test]
fn members_and_frames_after_one_another_inflate_to_their_concatenation() {
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let (one, two) = (sample(10_000), sample(70_000));
        let packed = [
            compress(encoding, None, &one).unwrap(),
            compress(encoding, None, &[]).unwrap(),
            compress(encoding, None, &two).unwrap(),
        ]
        .concat();
        let back = inflate(encoding, &packed, 80_000).unwrap();
        assert!(back == [one, two].concat(), "{encoding:?}");
    }
}

#[test]
fn a_message_one_byte_above_the_limit_is_too_large() {
    for encoding in COMPRESSED.into_iter().chain([Encoding::Identity]) {
        let packed = compress(encoding, None, &sample(100_000)).unwrap();
        let too_large = Err(InflateError::TooLarge {
            limit_bytes: 99_999,
        });
        assert_eq!(
            inflate(encoding, &packed, 99_999),
            too_large,
            "{encoding:?}"
        );
        assert!(inflate(encoding, &packed, 100_000).is_ok(), "{encoding:?}");
    }
}

#[test]
fn a_bomb_is_stopped_at_the_limit() {
    for encoding in COMPRESSED {
        let packed = compress(encoding, None, &vec![0; 8 << 20]).unwrap();
        let mut held = 0;
        let inflated = inflate_within(encoding, &packed, 1 << 20, |capacity| {
            held = capacity;
            true
        });
        let too_large = InflateError::TooLarge {
            limit_bytes: 1 << 20,
        };
        assert_eq!(inflated, Err(too_large), "{encoding:?}");
        assert!(held <= (1 << 20) + 1, "{encoding:?} held {held}");
    }
}

#[test]
fn a_frame_that_announces_much_reserves_little() {
    let mut packed = compress(Encoding::Gzip, None, b"short").unwrap();
    let size_at = packed.len() - 4;
    packed[size_at..].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut held = 0;
    let inflated = inflate_within(Encoding::Gzip, &packed, 64 << 20, |capacity| {
        held = capacity;
        true
    });
    assert!(matches!(inflated, Err(InflateError::Malformed { .. })));
    assert!(held <= packed.len() * ANNOUNCED_RATIO_MAX, "held {held}");
}

#[test]
fn what_ends_too_early_or_goes_on_too_long_is_malformed() {
    for encoding in COMPRESSED {
        let packed = compress(encoding, None, &sample(20_000)).unwrap();
        for cut in [0, 1, 3, packed.len() / 2, packed.len() - 1] {
            let inflated = inflate(encoding, &packed[..cut], 1 << 20);
            let is_malformed = matches!(inflated, Err(InflateError::Malformed { .. }));
            assert!(is_malformed, "{encoding:?} cut at {cut}: {inflated:?}");
        }
    }
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let mut packed = compress(encoding, None, b"fine").unwrap();
        packed.extend_from_slice(b"garbage");
        let inflated = inflate(encoding, &packed, 1 << 20);
        assert!(matches!(inflated, Err(InflateError::Malformed { .. })));
    }
}

#[test]
fn flipped_bits_never_panic_and_never_pass_the_limit() {
    for encoding in COMPRESSED {
        let packed = compress(encoding, None, &sample(4_000)).unwrap();
        for at in 0..packed.len() {
            let mut broken = packed.clone();
            broken[at] ^= 0x41;
            if let Ok(plain) = inflate(encoding, &broken, 10_000) {
                assert!(plain.len() <= 10_000);
            }
        }
    }
}

#[test]
fn inflating_stops_when_there_is_no_room() {
    for encoding in COMPRESSED {
        let packed = compress(encoding, None, &sample(1 << 20)).unwrap();
        let inflated = inflate_within(encoding, &packed, 2 << 20, |capacity| capacity < 500_000);
        assert!(
            matches!(inflated, Err(InflateError::NoRoom { .. })),
            "{encoding:?}"
        );
    }
}

#[test]
fn a_zstd_frame_of_unknown_size_is_read() {
    let plain = sample(500_000);
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    io::Write::write_all(&mut encoder, &plain).unwrap();
    let packed = encoder.finish().unwrap();
    assert!(inflate(Encoding::Zstd, &packed, 500_000).unwrap() == plain);
    assert!(inflate(Encoding::Zstd, &packed, 499_999).is_err());
}

#[test]
fn a_zstd_window_above_8_mib_is_refused() {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(25).unwrap();
    encoder.long_distance_matching(true).unwrap();
    io::Write::write_all(&mut encoder, &sample(1 << 20)).unwrap();
    let packed = encoder.finish().unwrap();
    let inflated = inflate(Encoding::Zstd, &packed, 64 << 20);
    assert!(matches!(inflated, Err(InflateError::Malformed { .. })));
}

#[test]
fn encodings_are_known_by_their_names() {
    for (name, encoding) in [
        ("gzip", Some(Encoding::Gzip)),
        (" GZIP ", Some(Encoding::Gzip)),
        ("zstd", Some(Encoding::Zstd)),
        ("identity", Some(Encoding::Identity)),
        ("", Some(Encoding::Identity)),
        ("br", None),
        ("gzip, zstd", None),
    ] {
        assert_eq!(Encoding::parse(name), encoding, "{name}");
    }
}

#[test]
fn a_snappy_block_that_announces_much_reserves_nothing() {
    let announces_60_mib = [0x80, 0x80, 0x80, 0x1e, 0x00, b'x'];
    let inflated = inflate_within(Encoding::Snappy, &announces_60_mib, 64 << 20, |_| {
        panic!("nothing is asked for")
    });
    assert!(matches!(inflated, Err(InflateError::Malformed { .. })));
}
