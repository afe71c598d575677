//! Names that one edit, or a part that was put in or left out, makes of each other: damage may have done that. Pure.

/// Whether one becomes the other when a letter is put in, left out, replaced, or exchanged with the one behind it.
pub(super) fn is_one_edit(one: &[u8], other: &[u8]) -> bool {
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    let alike = short.iter().zip(long).take_while(|(one, other)| one == other).count();
    let (short, long) = (&short[alike..], &long[alike..]);
    match (short, long) {
        ([first, second, short @ ..], [other, another, long @ ..])
            if (first, second) == (another, other) && short == long =>
        {
            true
        }
        ([_, short @ ..], [_, long @ ..]) if short == long => true,
        (short, [_, long @ ..]) => short == long,
        _ => false,
    }
}

/// Whether one name with a part put into it is the other.
pub(super) fn is_put_in(one: &str, other: &str) -> bool {
    other.len() > one.len() && alike(one, other) >= one.len()
}

/// Whether one name without a part, which does not begin it, is the other.
pub(super) fn is_left_out(one: &str, other: &str) -> bool {
    let begins_alike = other.len() > 2 && one.as_bytes().get(..2) == other.as_bytes().get(..2);
    begins_alike && other.len() < one.len() && alike(one, other) >= other.len()
}

/// How many octets are the same at the beginning and at the end.
fn alike(one: &str, other: &str) -> usize {
    let same = |(one, other): &(u8, u8)| one == other;
    let first = one.bytes().zip(other.bytes()).take_while(same).count();
    first + one.bytes().rev().zip(other.bytes().rev()).take_while(same).count()
}
