//! A fingerprint of what is compared: equal fingerprints mean that nothing a person would call a
//! change happened.
//!
//! A serialiser that hashes (XXH3, 128 bits). The fields of a structure count in their order, the
//! items of a list in any, for TMDB sends the same list in another order at times. It is only a
//! short cut: where fingerprints differ, the fields are compared, so another way of hashing in a
//! later version changes no movie.

use std::fmt;

use serde::{
    Serialize, Serializer,
    ser::{Impossible, SerializeMap, SerializeSeq, SerializeStruct},
};
use xxhash_rust::xxh3::xxh3_128;

/// The fingerprint of a value.
pub(crate) fn fingerprint<T: Serialize + ?Sized>(value: &T) -> u128 {
    let mut hasher = Hasher { bytes: Vec::with_capacity(256) };
    // No value of this crate has a kind that is refused.
    let _ = value.serialize(&mut hasher);
    xxh3_128(&hasher.bytes)
}

/// The fingerprint of several values, in their order.
pub(crate) fn of_all(fingerprints: impl Iterator<Item = u128>) -> u128 {
    xxh3_128(&fingerprints.flat_map(u128::to_be_bytes).collect::<Vec<u8>>())
}

/// Writes a value as bytes in which no two values look alike.
struct Hasher {
    bytes: Vec<u8>,
}

/// Says of which kind the bytes behind it are.
mod tag {
    pub(super) const NONE: u8 = 0;
    pub(super) const SOME: u8 = 1;
    pub(super) const FLAG: u8 = 2;
    pub(super) const NUMBER: u8 = 3;
    pub(super) const TEXT: u8 = 4;
    pub(super) const LIST: u8 = 5;
    pub(super) const FIELDS: u8 = 6;
    pub(super) const END: u8 = 7;
}

impl Hasher {
    fn put(&mut self, tag: u8, bytes: &[u8]) -> Result<(), Never> {
        self.bytes.push(tag);
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn text(&mut self, bytes: &[u8]) -> Result<(), Never> {
        self.put(tag::TEXT, &(bytes.len() as u64).to_le_bytes())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn fields(&mut self) -> Result<Fields<'_>, Never> {
        self.put(tag::FIELDS, &[])?;
        Ok(Fields(self))
    }
}

/// A list: the sum of its items' hashes, so that their order does not count.
pub(crate) struct Items<'a> {
    hasher: &'a mut Hasher,
    sum: u128,
    count: u64,
}

impl Items<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Never> {
        let start = self.hasher.bytes.len();
        item.serialize(&mut *self.hasher)?;
        let hash = self.hasher.bytes.get(start..).map_or(0, xxh3_128);
        self.hasher.bytes.truncate(start);
        self.sum = self.sum.wrapping_add(hash);
        self.count += 1;
        Ok(())
    }

    fn finish(self) -> Result<(), Never> {
        self.hasher.put(tag::LIST, &self.count.to_le_bytes())?;
        self.hasher.bytes.extend_from_slice(&self.sum.to_le_bytes());
        Ok(())
    }
}

/// Fields, entries or variants, in their order.
pub(crate) struct Fields<'a>(&'a mut Hasher);

impl Fields<'_> {
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        value.serialize(&mut *self.0)
    }

    fn finish(self) -> Result<(), Never> {
        self.0.put(tag::END, &[])
    }
}

/// A kind of value that nothing here consists of: tuples, and variants that hold something.
#[derive(Debug)]
pub(crate) struct Never;

impl fmt::Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing of a movie has this kind")
    }
}

impl std::error::Error for Never {}

impl serde::ser::Error for Never {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'a> Serializer for &'a mut Hasher {
    type Ok = ();
    type Error = Never;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Impossible<(), Never>;
    type SerializeTupleStruct = Impossible<(), Never>;
    type SerializeTupleVariant = Impossible<(), Never>;
    type SerializeMap = Fields<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Impossible<(), Never>;

    /// What is compared may be less than what is shown.
    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, v: bool) -> Result<(), Never> {
        self.put(tag::FLAG, &[u8::from(v)])
    }

    fn serialize_i8(self, v: i8) -> Result<(), Never> {
        self.serialize_i64(v.into())
    }

    fn serialize_i16(self, v: i16) -> Result<(), Never> {
        self.serialize_i64(v.into())
    }

    fn serialize_i32(self, v: i32) -> Result<(), Never> {
        self.serialize_i64(v.into())
    }

    fn serialize_i64(self, v: i64) -> Result<(), Never> {
        self.put(tag::NUMBER, &v.to_le_bytes())
    }

    fn serialize_u8(self, v: u8) -> Result<(), Never> {
        self.serialize_i64(v.into())
    }

    fn serialize_u16(self, v: u16) -> Result<(), Never> {
        self.serialize_i64(v.into())
    }

    fn serialize_u32(self, v: u32) -> Result<(), Never> {
        self.serialize_i64(v.into())
    }

    fn serialize_u64(self, v: u64) -> Result<(), Never> {
        self.put(tag::NUMBER, &v.to_le_bytes())
    }

    fn serialize_f32(self, v: f32) -> Result<(), Never> {
        self.serialize_f64(v.into())
    }

    fn serialize_f64(self, v: f64) -> Result<(), Never> {
        self.put(tag::NUMBER, &v.to_bits().to_le_bytes())
    }

    fn serialize_char(self, v: char) -> Result<(), Never> {
        self.text(v.encode_utf8(&mut [0; 4]).as_bytes())
    }

    /// Space around a text and the kind of its line ends are no part of it.
    fn serialize_str(self, v: &str) -> Result<(), Never> {
        let text = v.trim();
        if text.contains('\r') {
            return self.text(text.replace("\r\n", "\n").as_bytes());
        }
        self.text(text.as_bytes())
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<(), Never> {
        self.text(v)
    }

    fn serialize_none(self) -> Result<(), Never> {
        self.put(tag::NONE, &[])
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Never> {
        self.put(tag::SOME, &[])?;
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Never> {
        self.put(tag::NONE, &[])
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Never> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), Never> {
        self.serialize_u32(index)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Never> {
        Err(Never)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, Never> {
        Ok(Items { hasher: self, sum: 0, count: 0 })
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Never> {
        Err(Never)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Never> {
        Err(Never)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Never> {
        Err(Never)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Fields<'a>, Never> {
        self.fields()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, Never> {
        self.fields()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Never> {
        Err(Never)
    }
}

impl SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = Never;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        self.item(value)
    }

    fn end(self) -> Result<(), Never> {
        self.finish()
    }
}

impl SerializeMap for Fields<'_> {
    type Ok = ();
    type Error = Never;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Never> {
        self.value(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        self.value(value)
    }

    fn end(self) -> Result<(), Never> {
        self.finish()
    }
}

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Never;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        self.value(value)
    }

    fn end(self) -> Result<(), Never> {
        self.finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_order_of_a_list_does_not_count_everything_else_does() {
        let one = fingerprint(&json!({ "a": [["x", "y"], 1, null], "b": "" }));
        assert_eq!(one, fingerprint(&json!({ "b": "", "a": [null, ["y", "x"], 1] })));
        for other in [
            json!({ "a": [["x"], ["y"], 1, null], "b": "" }),
            json!({ "a": [["x", "y"], 1, null, null], "b": "" }),
            json!({ "a": [["x", "y"], 2, null], "b": "" }),
            json!({ "a": [["x", "y"], 1, null], "b": null }),
            json!({ "a": [["xy", ""], 1, null], "b": "" }),
        ] {
            assert_ne!(one, fingerprint(&other), "{other}");
        }
        let lists: [Value; 3] = [json!([]), json!([[]]), json!([[], []])];
        let prints = lists.each_ref().map(fingerprint);
        assert!(prints[0] != prints[1] && prints[1] != prints[2] && prints[0] != prints[2]);
    }

    /// Stored in databases: another value would make each movie be compared field by field once.
    #[test]
    fn it_is_the_same_everywhere() {
        let value = json!({ "title": "Żółw", "n": -7, "f": 1.5, "l": [true, null, "a"] });
        let expected = 83_181_315_805_220_180_380_206_746_386_191_301_012;
        assert_eq!(fingerprint(&value), expected);
    }
}
