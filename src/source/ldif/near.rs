//! Names that one edit makes of each other: damage may have done that. Pure.

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
