//! What somebody may have meant who misspelt a name.

/// The one of `names` that is written most like `name`.
pub(crate) fn nearest<'n>(name: &str, names: &[&'n str]) -> &'n str {
    names.iter().min_by_key(|valid| strsim::damerau_levenshtein(name, valid)).copied().unwrap_or_default()
}
