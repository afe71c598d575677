//! A strict reader of LDIF, by lines alone. Of what it does not understand it says so; it shares no code with Rollcall's.

/// A record.
pub(crate) struct Record {
    lines: Vec<String>,
    /// Whether each line of it is understood, and it came to its end.
    sound: bool,
}

impl Record {
    pub(crate) fn has(&self, line: &str) -> bool {
        self.lines.iter().any(|there| there == line)
    }

    /// Whether it says of itself, beyond doubt, that this is not so.
    pub(crate) fn denies(&self, line: &str) -> bool {
        self.sound && !self.has(line)
    }

    /// Whether it is another entry's by its id, and has this line all the same.
    pub(crate) fn claims(&self, line: &str, id: &str) -> bool {
        self.sound && self.has(line) && !self.has(id)
    }

    /// The same, if somebody else may understand it: a value that is blank is none here.
    pub(crate) fn may_claim(&self, line: &str, id: &str) -> bool {
        self.has(line) && !self.has(id)
    }

    /// Whether it is not understood, and may be the entry of this DN: nothing of it says whose it is, or the DN alone does.
    pub(crate) fn hides(&self, dn: &str) -> bool {
        let of = self.lines.iter().find(|line| line.starts_with("dn:"));
        !self.sound && of.is_none_or(|line| line == dn) && !self.lines.iter().any(|line| is_id(line))
    }
}

/// What stands in the text.
pub(crate) fn records(bytes: &[u8]) -> Vec<Record> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let ends = text.ends_with("\n\n");
    let mut blocks: Vec<Vec<String>> = vec![Vec::new()];
    for line in text.strip_suffix('\n').unwrap_or(&text).split('\n') {
        let block = blocks.last_mut().expect("there is one");
        match line.strip_prefix(' ') {
            _ if line.is_empty() => blocks.push(Vec::new()),
            Some(more) => match block.last_mut() {
                Some(begun) => begun.push_str(more),
                None => block.push(line.to_owned()),
            },
            None => block.push(line.to_owned()),
        }
    }
    let last = blocks.iter().rposition(|block| !block.is_empty());
    let record = |(at, mut lines): (usize, Vec<String>)| {
        lines.retain(|line| !line.starts_with('#'));
        if lines.first().is_some_and(|line| line.starts_with("version:")) {
            lines.remove(0);
        }
        let sound = (ends || Some(at) != last) && is_sound(&lines);
        (!lines.is_empty()).then_some(Record { lines, sound })
    };
    blocks.into_iter().enumerate().filter_map(record).collect()
}

fn is_sound(lines: &[String]) -> bool {
    let Some((dn, attributes)) = lines.split_first() else { return false };
    let is_dn = dn.strip_prefix("dn: ").is_some_and(|dn| {
        dn.split(',').all(|part| {
            part.split_once('=').is_some_and(|(name, value)| {
                !name.is_empty()
                    && name.chars().all(char::is_alphanumeric)
                    && !value.is_empty()
                    && value.chars().all(is_plain)
            })
        })
    });
    is_dn
        && attributes.iter().all(|line| is_attribute(line))
        && attributes.iter().filter(|line| is_id(line)).count() == 1
}

fn is_id(line: &str) -> bool {
    let name = line.to_lowercase();
    name.starts_with("entryuuid") || name.starts_with("objectguid")
}

fn is_plain(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || " _-.@".contains(sign)
}

fn is_attribute(line: &str) -> bool {
    let Some((name, value)) = line.split_once(':') else { return false };
    let is_name = name.starts_with(|sign: char| sign.is_ascii_alphabetic())
        && name.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '-');
    let is_value = match (value.strip_prefix(": "), value.strip_prefix(' ')) {
        (Some(encoded), _) => {
            let bare = encoded.trim_end_matches('=');
            encoded.len() % 4 == 0
                && encoded.len() - bare.len() < 3
                && bare.chars().all(|sign| sign.is_ascii_alphanumeric() || "+/".contains(sign))
        }
        // A value of another character set is a value.
        (None, Some(value)) => !value.chars().any(char::is_control),
        (None, None) => false,
    };
    is_name && is_value && name.to_lowercase() != "changetype"
}
