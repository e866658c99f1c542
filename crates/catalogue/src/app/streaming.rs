//! Where to watch a movie, as the app shows it.

use serde_json::{Map, Value, json};

use super::json::{read, text};
use crate::parts::{Offers, Provider};

/// Whom TMDB's offers come from; its terms ask to name them.
const SOURCE: &str = "JustWatch";

/// `{"us": {link, flatrate, rent, buy, …}, "updated_at", "attribution"}`: the regions in lower
/// case, in each the lists that offer something. Null where no region has an offer.
pub(super) fn streaming(offers: Option<&[Offers<'_>]>, updated_at: Option<String>) -> Value {
    let regions = offers.unwrap_or_default().iter();
    let mut shown: Map<String, Value> = regions
        .filter_map(|offers| Some((offers.region.to_ascii_lowercase(), region_of_app(offers)?)))
        .collect();
    if shown.is_empty() {
        return Value::Null;
    }
    shown.insert("updated_at".to_owned(), updated_at.into());
    shown.insert("attribution".to_owned(), SOURCE.into());
    shown.into()
}

fn region_of_app(offers: &Offers<'_>) -> Option<Value> {
    let lists = offers.kinds.iter().filter_map(|(kind, providers)| {
        let providers: Vec<Value> = providers.iter().filter_map(provider).collect();
        (!providers.is_empty()).then(|| (kind.clone().into_owned(), providers.into()))
    });
    let mut region: Map<String, Value> = lists.collect();
    if region.is_empty() {
        return None;
    }
    region.insert("link".to_owned(), offers.link.as_deref().into());
    Some(region.into())
}

fn provider(provider: &Provider<'_>) -> Option<Value> {
    Some(json!({
        "provider_id": provider.provider_id?,
        "provider_name": provider.provider_name.as_deref()?,
        "logo_path": provider.logo_path,
    }))
}

/// Stored offers in TMDB's shape: the inverse of [`streaming`].
pub(super) fn stored(streaming: &Value) -> Option<Vec<Offers<'_>>> {
    let regions = streaming.as_object()?.iter().filter_map(|(region, offers)| {
        let kinds = offers.as_object()?.iter().filter_map(|(kind, list)| {
            Some((kind.as_str().into(), list.is_array().then(|| read(list)).flatten()?))
        });
        Some(Offers {
            region: region.to_ascii_uppercase().into(),
            link: text(offers, "link").map(Into::into),
            kinds: kinds.collect(),
        })
    });
    Some(regions.collect())
}
