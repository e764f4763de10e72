//! Reads JSON text forwards, without building anything.
//!
//! The reader accepts less than [`serde_json`] and never more. What it does not accept, such as a member's name with an
//! escape, the caller reads with [`serde_json`], which decides what is JSON.

/// The deepest nesting that is read.
const DEPTH: usize = 60;

/// A text, and how far it was read.
#[derive(Clone, Debug)]
pub(crate) struct JsonReader<'a> {
    text: &'a str,
    at: usize,
}

/// A value that is neither an object nor an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar<'a> {
    /// A string without escapes, without its quotes.
    Plain(&'a str),
    /// An integer of at most eighteen digits.
    Integer(i64),
    /// `null`.
    Null,
    /// Any other value, as its text: a string with escapes, a longer number, a fraction, a boolean.
    Other(&'a str),
}

/// The kind of the next value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    Scalar,
}

impl<'a> JsonReader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The number of bytes read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Returns the text read since `start`, a former [`Self::at`].
    pub(crate) fn since(&self, start: usize) -> Option<&'a str> {
        self.text.get(start..self.at)
    }

    /// Returns the next bytes without reading them. `None` if there are fewer, or the last character would be cut.
    #[inline]
    pub(crate) fn next_bytes(&self, length: usize) -> Option<&'a str> {
        self.text.get(self.at..self.at.checked_add(length)?)
    }

    /// Moves over `text`, which is next and of which the caller knows that it is one value.
    #[inline]
    pub(crate) fn pass(&mut self, text: &str) {
        self.at += text.len();
    }

    /// Returns whether nothing but white space is left.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.next_byte().is_none() && self.at == self.text.len()
    }

    /// Returns the kind of the next value and moves to its first byte.
    #[inline]
    pub(crate) fn kind(&mut self) -> Option<Kind> {
        Some(match self.next_byte()? {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            _ => Kind::Scalar,
        })
    }

    /// Reads an object. `each` gets the name of each member and must read its value.
    #[inline]
    pub(crate) fn object(&mut self, mut each: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.next_byte()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let name = self.name()?;
            each(self, name)?;
            match self.next_byte()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Reads an array. `each` must read one element.
    #[inline]
    pub(crate) fn array(&mut self, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'[')?;
        if self.next_byte()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            each(self)?;
            match self.next_byte()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Reads a value that is neither an object nor an array.
    #[inline]
    pub(crate) fn scalar(&mut self) -> Option<Scalar<'a>> {
        match self.next_byte()? {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b'n' => self.word("null").map(|_| Scalar::Null),
            b't' => self.word("true").map(Scalar::Other),
            b'f' => self.word("false").map(Scalar::Other),
            _ => None,
        }
    }

    /// Reads any value and returns its text.
    #[inline]
    pub(crate) fn value(&mut self) -> Option<&'a str> {
        self.next_byte()?;
        let start = self.at;
        self.skip()?;
        self.since(start)
    }

    /// Reads any value, without recursion.
    fn skip(&mut self) -> Option<()> {
        // One bit for each open container, the innermost last: 1 for an object. The first bit marks the beginning.
        let mut open = 1_u64;
        loop {
            match self.next_byte()? {
                container @ (b'{' | b'[') => {
                    if open >> DEPTH != 0 {
                        return None;
                    }
                    let is_object = container == b'{';
                    open = open << 1 | u64::from(is_object);
                    self.at += 1;
                    let end = if is_object { b'}' } else { b']' };
                    if self.next_byte()? != end {
                        if is_object {
                            self.name()?;
                        }
                        continue;
                    }
                }
                b'"' => {
                    self.string()?;
                }
                _ => {
                    self.scalar()?;
                }
            }
            // After a value: the ends of the containers that it was the last value of, or the beginning of the next value.
            loop {
                if open == 1 {
                    return Some(());
                }
                let is_object = open & 1 == 1;
                match self.next_byte()? {
                    b',' => {
                        self.at += 1;
                        if is_object {
                            self.name()?;
                        }
                        break;
                    }
                    b'}' if is_object => {
                        self.at += 1;
                        open >>= 1;
                    }
                    b']' if !is_object => {
                        self.at += 1;
                        open >>= 1;
                    }
                    _ => return None,
                }
            }
        }
    }

    /// Reads a member's name, which must have no escapes, and the colon.
    #[inline]
    fn name(&mut self) -> Option<&'a str> {
        if self.next_byte()? != b'"' {
            return None;
        }
        let start = self.at + 1;
        let (end, byte) = plain_end(self.text.as_bytes(), start)?;
        if byte != b'"' {
            return None;
        }
        self.at = end + 1;
        self.expect(b':')?;
        self.text.get(start..end)
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next_byte()? == byte).then(|| self.at += 1)
    }

    /// Moves over white space to the next byte and returns it.
    #[inline]
    fn next_byte(&mut self) -> Option<u8> {
        let byte = *self.text.as_bytes().get(self.at)?;
        if byte > b' ' { Some(byte) } else { self.after_space() }
    }

    #[cold]
    fn after_space(&mut self) -> Option<u8> {
        loop {
            match *self.text.as_bytes().get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    /// Reads a string, of which the opening quote is next.
    #[inline]
    fn string(&mut self) -> Option<Scalar<'a>> {
        let start = self.at + 1;
        let (end, byte) = plain_end(self.text.as_bytes(), start)?;
        self.at = end;
        match byte {
            b'"' => {
                self.at += 1;
                self.text.get(start..end).map(Scalar::Plain)
            }
            b'\\' => self.escaped(start - 1),
            _ => None,
        }
    }

    /// Reads the rest of a string that began at `start` and whose first escape is next.
    #[cold]
    fn escaped(&mut self, start: usize) -> Option<Scalar<'a>> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return self.since(start).map(Scalar::Other);
                }
                b'\\' => match bytes.get(self.at + 1)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
                    b'u' => {
                        let digits = bytes.get(self.at + 2..self.at + 6)?;
                        if !digits.iter().all(u8::is_ascii_hexdigit) {
                            return None;
                        }
                        self.at += 6;
                    }
                    _ => return None,
                },
                _ => return None,
            }
            self.at = plain_end(bytes, self.at)?.0;
        }
    }

    #[inline]
    fn number(&mut self) -> Option<Scalar<'a>> {
        let start = self.at;
        let is_negative = self.expect(b'-').is_some();
        let first = self.at;
        let mut value = 0_i64;
        while let Some(digit @ b'0'..=b'9') = self.text.as_bytes().get(self.at) {
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = self.at - first;
        let is_zero_first = self.text.as_bytes().get(first) == Some(&b'0');
        if digits == 0 || (is_zero_first && digits > 1) {
            return None;
        }
        if matches!(self.text.as_bytes().get(self.at), Some(b'.' | b'e' | b'E')) {
            return self.fraction(start);
        }
        // The negative zero is a fraction for serde_json.
        if digits > 18 || (is_negative && value == 0) {
            return self.since(start).map(Scalar::Other);
        }
        Some(Scalar::Integer(if is_negative { -value } else { value }))
    }

    /// Reads the rest of a number that began at `start`, from its fraction or exponent.
    #[cold]
    fn fraction(&mut self, start: usize) -> Option<Scalar<'a>> {
        let byte = |reader: &Self| reader.text.as_bytes().get(reader.at).copied();
        let digits = |reader: &mut Self| {
            let first = reader.at;
            while byte(reader).is_some_and(|byte| byte.is_ascii_digit()) {
                reader.at += 1;
            }
            (reader.at > first).then_some(())
        };
        if byte(self) == Some(b'.') {
            self.at += 1;
            digits(self)?;
        }
        if matches!(byte(self), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(byte(self), Some(b'+' | b'-')) {
                self.at += 1;
            }
            digits(self)?;
        }
        self.since(start).map(Scalar::Other)
    }

    fn word(&mut self, word: &'static str) -> Option<&'a str> {
        let start = self.at;
        self.text.get(start..)?.starts_with(word).then(|| self.at += word.len())?;
        self.since(start)
    }
}

/// Returns the first quote, backslash or control character from `at` on, and its place before it.
///
/// Eight bytes are looked at together, because most of a frame is inside of strings.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> Option<(usize, u8)> {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHEST: u64 = ONES << 7;
    // The highest bit of each byte that is zero, and perhaps of bytes above it; the lowest one is right.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let word = u64::from_le_bytes(*eight);
        let backslash = zero(word ^ (ONES * u64::from(b'\\')));
        // With this bit turned, the quote follows the control characters, and the space and what follows stay above.
        let turned = word ^ (ONES * 0x02);
        let quote_or_control = turned.wrapping_sub(ONES * 0x21) & !turned;
        let found = (backslash | quote_or_control) & HIGHEST;
        if found != 0 {
            let place = found.trailing_zeros() as usize / 8;
            return Some((at + place, eight[place & 7]));
        }
        at += 8;
    }
    loop {
        match *bytes.get(at)? {
            byte @ (b'"' | b'\\' | 0..0x20) => return Some((at, byte)),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, value::RawValue};

    use super::*;

    fn read(text: &str) -> Option<&str> {
        let mut reader = JsonReader::new(text);
        let value = reader.value()?;
        reader.is_at_end().then_some(value)
    }

    #[test]
    fn a_value_is_read_as_serde_json_reads_it() {
        for text in [
            "0",
            "-1",
            "-0",
            "01",
            "1.",
            "1.5",
            "1e5",
            "1E+5",
            "1e",
            ".5",
            "-",
            "18446744073709551615",
            "true",
            "truth",
            "nul",
            "null",
            "\"\"",
            "\"a",
            "\"\\u00e9\"",
            "\"\\ud83d\\ude00\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\t\"",
            "[]",
            "[1,]",
            "[1 2]",
            "[,]",
            "{}",
            "{\"a\":1,}",
            "{\"a\"}",
            "{a:1}",
            " [ { \"a\" : [ ] } , 1 ] ",
            "[1}",
            "{\"a\":1]",
            "[[[[[[[[[[]]]]]]]]]]",
            "",
            " ",
            "1 2",
            "\"日本語 – 😀\"",
            "\"eight by\"",
            "\"exactly \\\\\"",
            "\u{feff}1",
        ] {
            let expected = serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get);
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_nests_too_deeply_is_left_to_serde_json() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(read(&nested(DEPTH)).is_some());
        assert!(read(&nested(DEPTH + 1)).is_none());
        assert!(read(&nested(100_000)).is_none());
    }

    proptest! {
        #[test]
        fn no_text_is_read_that_serde_json_refuses(text in r#"[\[\]{}:,"\\a0-9eE.+ \-\ntrufalsnéu]{0,24}"#) {
            if let Some(value) = read(&text) {
                prop_assert_eq!(Some(value), serde_json::from_str::<&RawValue>(&text).ok().map(RawValue::get));
            }
        }

        #[test]
        fn scalars_have_the_value_that_serde_json_reads(text in r#"-?[0-9]{1,20}|"[a-zé\\n]{0,20}"|null|true|-?[0-9]\.[0-9]"#) {
            let mut reader = JsonReader::new(&text);
            let Some(scalar) = reader.scalar().filter(|_| reader.is_at_end()) else { return Ok(()) };
            let expected: Value = serde_json::from_str(&text).unwrap();
            match scalar {
                Scalar::Plain(plain) => prop_assert_eq!(expected, plain),
                Scalar::Integer(integer) => prop_assert_eq!(expected, integer),
                Scalar::Null => prop_assert!(expected.is_null()),
                Scalar::Other(other) => prop_assert_eq!(other, &text),
            }
        }
    }
}
