//! Makes text from others safe for a terminal or a log: it must neither control the terminal nor look like another
//! line.

/// The text with harmful characters escaped.
pub(crate) fn harmless(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if is_harmful(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// Whether the character is a control character, ends a line, or changes the writing direction. All such characters
/// have at most four hexadecimal digits.
pub(crate) fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
