//! Where to watch a movie, as the app shows it.

use serde_json::{Map, Value, json};

use super::json::{text, whole};

/// Whom TMDB's offers come from; its terms ask to name them.
const SOURCE: &str = "JustWatch";

/// `{"us": {link, flatrate, rent, buy, …}, "updated_at", "attribution"}`: the regions in lower
/// case, in each the lists that offer something. Null where no region has an offer.
pub(super) fn streaming(offers: Option<&Value>, updated_at: Option<String>) -> Value {
    let regions = offers.and_then(Value::as_object).into_iter().flatten();
    let mut shown: Map<String, Value> = regions
        .filter_map(|(region, offers)| Some((region.to_ascii_lowercase(), region_of_app(offers)?)))
        .collect();
    if shown.is_empty() {
        return Value::Null;
    }
    shown.insert("updated_at".to_owned(), updated_at.into());
    shown.insert("attribution".to_owned(), SOURCE.into());
    shown.into()
}

fn region_of_app(offers: &Value) -> Option<Value> {
    let lists = offers.as_object()?.iter().filter_map(|(kind, providers)| {
        let providers: Vec<Value> = providers.as_array()?.iter().filter_map(provider).collect();
        (!providers.is_empty()).then(|| (kind.clone(), providers.into()))
    });
    let mut region: Map<String, Value> = lists.collect();
    if region.is_empty() {
        return None;
    }
    region.insert("link".to_owned(), text(offers, "link").into());
    Some(region.into())
}

fn provider(provider: &Value) -> Option<Value> {
    Some(json!({
        "provider_id": whole(provider, "provider_id")?,
        "provider_name": text(provider, "provider_name")?,
        "logo_path": text(provider, "logo_path"),
    }))
}

/// Stored offers in TMDB's shape: the inverse of [`streaming`].
pub(super) fn stored(streaming: &Value) -> Option<Value> {
    let regions = streaming.as_object()?.iter().filter(|(_, offers)| offers.is_object());
    let mut offers: Map<String, Value> =
        regions.map(|(region, offers)| (region.to_ascii_uppercase(), offers.clone())).collect();
    offers.insert("attribution".to_owned(), SOURCE.into());
    Some(offers.into())
}
