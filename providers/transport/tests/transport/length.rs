//! What every secret passes through has to be read in one sitting: all of the crate, comments and blank lines counted,
//! tests not, has a bound.

use std::path::Path;

const AT_MOST: usize = 600;

/// How long each file was when the bound was reached, to tell which of them has grown since.
const WERE: [(&str, usize); 7] = [
    ("body.rs", 39),
    ("fault.rs", 75),
    ("lib.rs", 19),
    ("settings.rs", 144),
    ("tls.rs", 134),
    ("transport.rs", 156),
    ("way.rs", 33),
];

#[test]
fn the_whole_can_be_read_in_one_sitting() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut lines, mut grown) = (0, Vec::new());
    for entry in std::fs::read_dir(&src).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.ends_with(".rs"), "{name}: a folder or another file would not be counted");
        let text = std::fs::read_to_string(&path).unwrap();
        let long = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        let was = WERE.iter().find(|(file, _)| *file == name).map_or(0, |(_, was)| *was);
        if long > was {
            grown.push(format!("{name} from {was} to {long}"));
        }
        lines += long;
    }
    assert!(lines > AT_MOST / 2, "{lines} lines: something is not counted");
    assert!(lines <= AT_MOST, "{lines} lines, at most {AT_MOST}; grown: {}", grown.join(", "));
}
