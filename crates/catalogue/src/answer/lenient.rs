//! Reads values that TMDB does not promise: a value of an unexpected type counts as absent, and an
//! item of a list that cannot be read is left out.
//!
//! Texts are borrowed from the body wherever it holds them as they are.

use std::{borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

/// What can be read out of a value; each kind of value is absent where a type does not take it.
pub(crate) trait Read<'de>: Sized {
    fn of_text(_: Cow<'de, str>) -> Option<Self> {
        None
    }

    fn of_whole(_: i64) -> Option<Self> {
        None
    }

    fn of_float(_: f64) -> Option<Self> {
        None
    }

    fn of_flag(_: bool) -> Option<Self> {
        None
    }

    fn of_list<A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn of_object<A: MapAccess<'de>>(mut object: A) -> Result<Option<Self>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// An object with fields of its own.
pub(crate) trait Object<'de>: Deserialize<'de> {}

impl<'de, T: Object<'de>> Read<'de> for T {
    fn of_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(object)).map(Some)
    }
}

/// A text that is not blank, without U+0000, which Postgres cannot store.
impl<'de> Read<'de> for Cow<'de, str> {
    fn of_text(text: Cow<'de, str>) -> Option<Self> {
        let text = if text.contains('\0') { text.replace('\0', "").into() } else { text };
        (!text.trim().is_empty()).then_some(text)
    }
}

impl Read<'_> for i64 {
    fn of_whole(number: i64) -> Option<Self> {
        Some(number)
    }

    /// `136.0` is 136.
    fn of_float(number: f64) -> Option<Self> {
        // Below 2^53 every whole number has one form.
        const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
        let is_whole = number.fract() == 0.0 && number.abs() < WHOLE_MAX;
        #[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
        is_whole.then_some(number as Self)
    }
}

/// A finite number; old bodies hold some as text.
impl<'de> Read<'de> for f64 {
    fn of_text(text: Cow<'de, str>) -> Option<Self> {
        text.parse().ok().and_then(Self::of_float)
    }

    fn of_whole(number: i64) -> Option<Self> {
        // Far below 2^53, or of no meaning anyway.
        #[expect(clippy::cast_precision_loss, reason = "votes and scores are small")]
        Some(number as Self)
    }

    fn of_float(number: f64) -> Option<Self> {
        number.is_finite().then_some(number)
    }
}

impl Read<'_> for bool {
    fn of_flag(flag: bool) -> Option<Self> {
        Some(flag)
    }
}

impl<'de, T: Read<'de>> Read<'de> for Vec<T> {
    fn of_list<A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        let mut items = Self::new();
        while let Some(Lenient(item)) = list.next_element::<Lenient<T>>()? {
            items.extend(item);
        }
        Ok(Some(items))
    }
}

/// The entries of an object whose keys are data.
impl<'de, T: Read<'de>> Read<'de> for BTreeMap<Cow<'de, str>, T> {
    fn of_object<A: MapAccess<'de>>(mut object: A) -> Result<Option<Self>, A::Error> {
        let mut entries = Self::new();
        while let Some((key, Lenient(value))) = object.next_entry::<Lenient<Cow<'de, str>>, _>()? {
            if let (Some(key), Some(value)) = (key.0, value) {
                entries.insert(key, value);
            }
        }
        Ok(Some(entries))
    }
}

/// What a value holds; `None` where it is of another type.
pub(crate) struct Lenient<T>(pub(crate) Option<T>);

impl<'de, T: Read<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyValue(PhantomData)).map(Self)
    }
}

/// For `#[serde(deserialize_with)]`.
pub(crate) fn lenient<'de, D: Deserializer<'de>, T: Read<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Lenient::deserialize(from).map(|Lenient(value)| value)
}

/// A part that is there, although its value may be of no use: `Some(None)`. An absent key is `None`
/// by `#[serde(default)]`.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Read<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    lenient(from).map(Some)
}

struct AnyValue<T>(PhantomData<T>);

impl<'de, T: Read<'de>> Visitor<'de> for AnyValue<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(T::of_text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(T::of_text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(T::of_text(Cow::Owned(text)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(T::of_whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).ok().and_then(T::of_whole))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(T::of_float(number))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(T::of_flag(flag))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        T::of_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        T::of_object(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a, T: Read<'a>>(json: &'a str) -> Option<T> {
        serde_json::from_str::<Lenient<T>>(json).unwrap().0
    }

    #[test]
    fn another_type_is_as_if_the_value_were_absent() {
        for json in ["null", "true", "7", "-7", "7.5", r#""7""#, "[]", "[[1],{}]", r#"{"a":[1]}"#] {
            let got = (
                read::<Cow<'_, str>>(json).is_some(),
                read::<i64>(json).is_some(),
                read::<f64>(json).is_some(),
                read::<bool>(json).is_some(),
                read::<Vec<i64>>(json).is_some(),
                read::<BTreeMap<Cow<'_, str>, i64>>(json).is_some(),
            );
            let is = |json: &str, kinds: &[&str]| kinds.contains(&json);
            let expected = (
                is(json, &[r#""7""#]),
                is(json, &["7", "-7"]),
                is(json, &["7", "-7", "7.5", r#""7""#]),
                is(json, &["true"]),
                is(json, &["[]", "[[1],{}]"]),
                is(json, &[r#"{"a":[1]}"#]),
            );
            assert_eq!(got, expected, "{json}");
        }
    }

    #[test]
    fn texts_are_borrowed_and_fit_into_postgres() {
        assert!(matches!(read(r#""plain""#), Some(Cow::Borrowed("plain"))));
        assert_eq!(read::<Cow<'_, str>>(r#""a\u0000b""#).as_deref(), Some("ab"));
        assert_eq!(read::<Cow<'_, str>>(r#""\u0000 ""#), None);
        assert_eq!(read::<Vec<Cow<'_, str>>>(r#"["a", 5, null, "b"]"#).unwrap(), ["a", "b"]);
    }
}
