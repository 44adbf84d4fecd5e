//! The request that the front hands to the supervisor: arbitrary bytes through `Request::received`. What is
//! accepted is written back and must give the same bytes; the files to try must be what execvp(3) would try.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sandlock::fuzz::Request;

fuzz_target!(|input: &[u8]| {
    let Ok(request) = Request::received(input) else { return };
    let mut written = request.mask.to_le_bytes().to_vec();
    let counts = [request.arguments.len(), request.environment.len()].map(|count| count as u32);
    for word in [counts[0], counts[1], request.options, request.open_files, request.linger] {
        written.extend(word.to_le_bytes());
    }
    for number in request.stdio {
        assert!(number >= 0, "a descriptor that can not be was taken");
        written.extend(number.to_le_bytes());
    }
    for text in request.arguments.iter().chain(&request.environment).chain([&request.directory]) {
        written.extend(text.as_bytes_with_nul());
    }
    assert_eq!(written, input);
    // Seven bits, docs/native.md.
    assert!(request.options < 256, "an option that does not exist was taken");

    let program = request.arguments[0].as_bytes();
    let candidates = request.candidates();
    if program.is_empty() || program.contains(&b'/') {
        assert_eq!(candidates, request.arguments[..1]);
        return;
    }
    let path = request.environment.iter().find(|entry| entry.as_bytes().starts_with(b"PATH="));
    let folders = path.map_or(1, |path| path.as_bytes().iter().filter(|&&byte| byte == b':').count());
    assert_eq!(candidates.len(), folders + 1);
    for candidate in candidates {
        let folder = candidate.as_bytes().strip_suffix(program).expect("a candidate ends in the program");
        assert!(folder.len() >= 2 && folder.ends_with(b"/"), "{candidate:?} is not in a folder");
    }
});
