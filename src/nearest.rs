//! Suggestions for misspelt names.

/// The name in `names` with the most similar spelling.
pub(crate) fn nearest<'n>(name: &str, names: &[&'n str]) -> &'n str {
    names.iter().min_by_key(|valid| strsim::damerau_levenshtein(name, valid)).copied().unwrap_or_default()
}
