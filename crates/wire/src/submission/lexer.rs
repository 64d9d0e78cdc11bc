//! The automaton: JSON's grammar, one byte at a time, with a fast way through long strings.

use super::base64_stream::Base64Stream;
use super::fields::{Found, INTEGER_BYTES_MAX, IntegerField, KEY_BYTES_MAX, Parent, Slot, TextField};
use super::{ScanError, ScanLimits, SubmissionFields};

/// Deepest nesting that is followed; a real body has two levels.
const DEPTH_MAX: u32 = 32;

/// Reads the body of a `SubmitResults` in chunks of any size.
#[derive(Debug)]
pub struct SubmissionScanner {
    limits: ScanLimits,
    consumed: u64,
    state: State,
    /// One bit a level, the innermost lowest: 1 for an object.
    nesting: u32,
    depth: u32,
    /// Which object of ours the second level is.
    parent: Option<Parent>,
    /// What the value that comes next is for.
    slot: Slot,
    /// First half of a surrogate pair; the second must follow at once.
    high_surrogate: Option<u16>,
    /// The key, short string or integer under way.
    text: Vec<u8>,
    results: Base64Stream,
    found: Found,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Between(Expected),
    /// In a string, outside an escape.
    Plain(Role),
    /// After a backslash.
    Escape(Role),
    /// In the digits of a `\u` escape.
    Hex {
        role: Role,
        value: u16,
        digits: u8,
    },
    /// In a number, of a field of ours or of none.
    Number(NumberPart, Option<IntegerField>),
    /// In `true`, `false` or `null`, of which this is left.
    Literal(&'static [u8]),
}

/// What may come next between strings, numbers and literals.
#[derive(Clone, Copy, Debug)]
enum Expected {
    Submission,
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

/// What a string is for.
#[derive(Clone, Copy, Debug)]
enum Role {
    Key,
    Skip,
    Text(TextField),
    Results,
}

/// How far into a number we are, by the last byte read.
#[derive(Clone, Copy, Debug)]
enum NumberPart {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

impl SubmissionScanner {
    /// A scanner at the start of a body.
    pub fn new(limits: ScanLimits) -> Self {
        Self {
            limits,
            consumed: 0,
            state: State::Between(Expected::Submission),
            nesting: 0,
            depth: 0,
            parent: None,
            slot: Slot::Skip,
            high_surrogate: None,
            text: Vec::new(),
            results: Base64Stream::default(),
            found: Found::default(),
        }
    }

    /// Reads the next bytes and appends what they hold of the decoded results to `out`.
    ///
    /// Call it no more after an error.
    ///
    /// # Errors
    /// [`ScanError`] at the first byte that cannot belong to an acceptable submission.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), ScanError> {
        if self.consumed + chunk.len() as u64 > self.limits.body_bytes_max {
            return Err(ScanError::BodyTooLarge { bytes_max: self.limits.body_bytes_max });
        }
        let mut rest = chunk;
        while let Some(byte) = rest.first().copied() {
            let taken = match self.state {
                State::Plain(role) => self.plain(role, rest, out)?,
                State::Number(part, field) => self.number(part, field, byte)?,
                State::Between(expected) => self.between(expected, byte)?,
                State::Escape(role) => self.escape(role, byte, out)?,
                State::Hex { role, value, digits } => self.hex(role, value, digits, byte, out)?,
                State::Literal(left) => self.literal(left, byte)?,
            };
            rest = &rest[taken..];
            self.consumed += taken as u64;
        }
        Ok(())
    }

    /// Ends the body.
    ///
    /// # Errors
    /// [`ScanError`] when the body is incomplete or lacks `results`, `submit_time` or `signature`.
    pub fn finish(self) -> Result<SubmissionFields, ScanError> {
        let State::Between(Expected::Nothing) = self.state else {
            return Err(ScanError::Truncated);
        };
        self.found.finish()
    }

    /// Takes a byte outside strings, numbers and literals. Like all its kind, gives the bytes taken.
    fn between(&mut self, expected: Expected, byte: u8) -> Result<usize, ScanError> {
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return Ok(1);
        }
        match (expected, byte) {
            (Expected::Submission, b'{') => self.open(true)?,
            (Expected::ValueOrEnd | Expected::CommaOrEnd, b']') => self.close(false)?,
            (Expected::KeyOrEnd | Expected::CommaOrEnd, b'}') => self.close(true)?,
            (Expected::Value | Expected::ValueOrEnd, _) => self.value(byte)?,
            (Expected::Key | Expected::KeyOrEnd, b'"') => {
                self.text.clear();
                self.state = State::Plain(Role::Key);
            }
            (Expected::Colon, b':') => self.state = State::Between(Expected::Value),
            (Expected::CommaOrEnd, b',') => {
                self.slot = Slot::Skip;
                let in_object = self.nesting & 1 == 1;
                self.state = State::Between(if in_object { Expected::Key } else { Expected::Value });
            }
            (Expected::Submission, _) => return Err(self.malformed("a submission is an object")),
            (Expected::Key | Expected::KeyOrEnd, _) => return Err(self.malformed("expected a key")),
            (Expected::Colon, _) => return Err(self.malformed("expected a colon")),
            (Expected::CommaOrEnd, _) => return Err(self.malformed("expected a comma or an end")),
            (Expected::Nothing, _) => return Err(self.malformed("nothing may follow the submission")),
        }
        Ok(1)
    }

    /// Begins a value.
    fn value(&mut self, byte: u8) -> Result<(), ScanError> {
        self.state = match (byte, self.slot) {
            (b'{', Slot::Skip | Slot::Object(_)) => return self.open(true),
            (b'[', Slot::Skip) => return self.open(false),
            (b'"', Slot::Skip) => State::Plain(Role::Skip),
            (b'"', Slot::Results) => State::Plain(Role::Results),
            (b'"', Slot::Text(field)) => {
                self.text.clear();
                State::Plain(Role::Text(field))
            }
            (b'-' | b'0'..=b'9', Slot::Skip) => State::Number(NumberPart::first(byte), None),
            (b'-' | b'0'..=b'9', Slot::Integer(field)) => {
                self.text.clear();
                self.text.push(byte);
                State::Number(NumberPart::first(byte), Some(field))
            }
            (b't', Slot::Skip) => State::Literal(b"rue"),
            (b'f', Slot::Skip) => State::Literal(b"alse"),
            (b'n', Slot::Skip | Slot::Object(_) | Slot::Text(TextField::BodyHotkey)) => {
                State::Literal(b"ull")
            }
            (b'"' | b'{' | b'[' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n', slot) => {
                return Err(ScanError::WrongType(slot.name()));
            }
            (_, _) => return Err(self.malformed("expected a value")),
        };
        Ok(())
    }

    fn open(&mut self, object: bool) -> Result<(), ScanError> {
        if self.depth == DEPTH_MAX {
            return Err(ScanError::TooDeep);
        }
        self.depth += 1;
        self.nesting = self.nesting << 1 | u32::from(object);
        if self.depth == 2 {
            self.parent = if let Slot::Object(parent) = self.slot { Some(parent) } else { None };
        }
        self.slot = Slot::Skip;
        self.state = State::Between(if object { Expected::KeyOrEnd } else { Expected::ValueOrEnd });
        Ok(())
    }

    fn close(&mut self, object: bool) -> Result<(), ScanError> {
        if (self.nesting & 1 == 1) != object {
            return Err(self.malformed("mismatched brackets"));
        }
        self.depth -= 1;
        self.nesting >>= 1;
        self.state = State::Between(if self.depth == 0 { Expected::Nothing } else { Expected::CommaOrEnd });
        Ok(())
    }

    /// Takes the plain part of a string up to its end, an escape or the end of the chunk.
    fn plain(&mut self, role: Role, rest: &[u8], out: &mut Vec<u8>) -> Result<usize, ScanError> {
        let stop = match role {
            // No control character is base64, so the decoder finds those.
            Role::Results => memchr::memchr2(b'"', b'\\', rest),
            Role::Key | Role::Skip | Role::Text(_) => {
                rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
            }
        };
        let (run, stop) = match stop {
            Some(stop) => (&rest[..stop], Some(rest[stop])),
            None => (rest, None),
        };
        if self.high_surrogate.is_some() && !(run.is_empty() && stop == Some(b'\\')) {
            return Err(self.malformed("lone surrogate"));
        }
        self.feed(role, run, out)?;
        match stop {
            None => return Ok(run.len()),
            Some(b'\\') => self.state = State::Escape(role),
            Some(b'"') => self.end_string(role)?,
            Some(_) => return Err(self.malformed("control character in a string")),
        }
        Ok(run.len() + 1)
    }

    /// Hands on decoded bytes of a string.
    fn feed(&mut self, role: Role, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ScanError> {
        match role {
            Role::Skip => {}
            Role::Results => self.results.push(bytes, out, self.limits.results_bytes_max)?,
            Role::Key => {
                // A longer key is none of ours: one byte beyond the bound is enough to see that.
                let room = (KEY_BYTES_MAX + 1).saturating_sub(self.text.len());
                self.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Role::Text(field) => {
                if self.text.len() + bytes.len() > field.bytes_max() {
                    return Err(ScanError::TooLong(Slot::Text(field).name()));
                }
                self.text.extend_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn end_string(&mut self, role: Role) -> Result<(), ScanError> {
        self.state = State::Between(Expected::CommaOrEnd);
        match role {
            Role::Skip => {}
            Role::Key => {
                self.slot = Slot::of_key(self.depth, self.parent, &self.text);
                self.found.key(self.slot)?;
                self.state = State::Between(Expected::Colon);
            }
            Role::Results => {
                self.results.finish()?;
                self.found.results(self.results.decoded());
            }
            Role::Text(field) => {
                let text = str::from_utf8(&self.text).map_err(|_| self.malformed("not UTF-8"))?;
                self.found.text(field, text.to_owned());
            }
        }
        Ok(())
    }

    /// Takes the byte after a backslash.
    fn escape(&mut self, role: Role, byte: u8, out: &mut Vec<u8>) -> Result<usize, ScanError> {
        if self.high_surrogate.is_some() && byte != b'u' {
            return Err(self.malformed("lone surrogate"));
        }
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.state = State::Hex { role, value: 0, digits: 0 };
                return Ok(1);
            }
            _ => return Err(self.malformed("unknown escape")),
        };
        self.state = State::Plain(role);
        self.feed(role, &[plain], out)?;
        Ok(1)
    }

    /// Takes one of the four digits of a `\u` escape.
    fn hex(
        &mut self,
        role: Role,
        value: u16,
        digits: u8,
        byte: u8,
        out: &mut Vec<u8>,
    ) -> Result<usize, ScanError> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return Err(self.malformed("expected a hexadecimal digit")),
        };
        let value = value << 4 | u16::from(digit);
        if digits < 3 {
            self.state = State::Hex { role, value, digits: digits + 1 };
            return Ok(1);
        }
        self.state = State::Plain(role);
        let character = match (self.high_surrogate.take(), value) {
            (None, 0xd800..=0xdbff) => {
                self.high_surrogate = Some(value);
                return Ok(1);
            }
            (None, _) => char::from_u32(u32::from(value)),
            (Some(high), 0xdc00..=0xdfff) => {
                char::from_u32(0x1_0000 + (u32::from(high - 0xd800) << 10 | u32::from(value - 0xdc00)))
            }
            (Some(_), _) => None,
        };
        let Some(character) = character else {
            return Err(self.malformed("lone surrogate"));
        };
        self.feed(role, character.encode_utf8(&mut [0; 4]).as_bytes(), out)?;
        Ok(1)
    }

    fn literal(&mut self, left: &'static [u8], byte: u8) -> Result<usize, ScanError> {
        match left {
            [expected, left @ ..] if *expected == byte => {
                self.state = match left {
                    [] => State::Between(Expected::CommaOrEnd),
                    [..] => State::Literal(left),
                };
                Ok(1)
            }
            [..] => Err(self.malformed("expected true, false or null")),
        }
    }

    /// Takes a byte of a number, or leaves the one after it.
    fn number(
        &mut self,
        part: NumberPart,
        field: Option<IntegerField>,
        byte: u8,
    ) -> Result<usize, ScanError> {
        use NumberPart::{Exponent, ExponentDigits, ExponentSign, Fraction, Integer, Minus, Point, Zero};
        let next = match (part, byte) {
            (Minus, b'0') => Zero,
            (Minus, b'1'..=b'9') | (Integer, b'0'..=b'9') => Integer,
            (Zero | Integer, b'.') => Point,
            (Point | Fraction, b'0'..=b'9') => Fraction,
            (Zero | Integer | Fraction, b'e' | b'E') => Exponent,
            (Exponent, b'+' | b'-') => ExponentSign,
            (Exponent | ExponentSign | ExponentDigits, b'0'..=b'9') => ExponentDigits,
            (Minus | Point | Exponent | ExponentSign, _) | (Zero, b'0'..=b'9') => {
                return Err(self.malformed("malformed number"));
            }
            (Zero | Integer | Fraction | ExponentDigits, _) => {
                if let Some(field) = field {
                    self.end_integer(part, field)?;
                }
                self.state = State::Between(Expected::CommaOrEnd);
                return Ok(0);
            }
        };
        if let Some(field) = field {
            if self.text.len() == INTEGER_BYTES_MAX {
                return Err(ScanError::TooLong(Slot::Integer(field).name()));
            }
            self.text.push(byte);
        }
        self.state = State::Number(next, field);
        Ok(1)
    }

    fn end_integer(&mut self, part: NumberPart, field: IntegerField) -> Result<(), ScanError> {
        let whole = matches!(part, NumberPart::Zero | NumberPart::Integer);
        let integer = str::from_utf8(&self.text).ok().filter(|_| whole).and_then(|text| text.parse().ok());
        let Some(integer) = integer else {
            return Err(ScanError::WrongType(Slot::Integer(field).name()));
        };
        self.found.integer(field, integer);
        Ok(())
    }

    const fn malformed(&self, reason: &'static str) -> ScanError {
        ScanError::Malformed { offset: self.consumed, reason }
    }
}

impl NumberPart {
    /// The part that a number's first byte, a minus or a digit, is.
    const fn first(byte: u8) -> Self {
        match byte {
            b'-' => Self::Minus,
            b'0' => Self::Zero,
            _ => Self::Integer,
        }
    }
}
