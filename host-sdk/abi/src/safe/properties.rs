//! Properties on their way across.

use std::os::raw::c_void;
use std::ptr;
use std::slice;

use super::{table, text, Misuse};
use crate::types::{GwcProperties, GwcProperty, GwcStr};
use crate::value::{Kind, Properties, Scalar, Secret, Value};

/// The most properties in a list, and elements in an array, that are read.
pub const MAX_COUNT: u64 = 10_000;

/// A list of properties in the form of the contract, borrowing from `Properties`.
pub struct Borrowed<'a> {
    list: GwcProperties,
    // What `list` points into. Vectors, as their heap does not move with `self`; a moved Box would
    // claim its heap for itself, and end the pointers into it.
    _items: Vec<GwcProperty>,
    _values: Vec<Elements>,
    _source: std::marker::PhantomData<&'a Properties>,
}

enum Elements {
    Text(#[allow(dead_code)] Vec<GwcStr>),
    Long(#[allow(dead_code)] Vec<i64>),
    Double(#[allow(dead_code)] Vec<f64>),
    Float(#[allow(dead_code)] Vec<f32>),
    Integer(#[allow(dead_code)] Vec<i32>),
    Byte(#[allow(dead_code)] Vec<i8>),
    Char(#[allow(dead_code)] Vec<u32>),
    Boolean(#[allow(dead_code)] Vec<u8>),
    Short(#[allow(dead_code)] Vec<i16>),
}

impl Elements {
    fn ptr(&self) -> *const c_void {
        match self {
            Elements::Text(v) => v.as_ptr().cast(),
            Elements::Long(v) => v.as_ptr().cast(),
            Elements::Double(v) => v.as_ptr().cast(),
            Elements::Float(v) => v.as_ptr().cast(),
            Elements::Integer(v) => v.as_ptr().cast(),
            Elements::Byte(v) => v.as_ptr().cast(),
            Elements::Char(v) => v.as_ptr().cast(),
            Elements::Boolean(v) => v.as_ptr().cast(),
            Elements::Short(v) => v.as_ptr().cast(),
        }
    }
}

impl<'a> Borrowed<'a> {
    /// The list of `properties`.
    pub fn new(properties: &'a Properties) -> Self {
        let mut values = Vec::with_capacity(properties.len());
        let mut items = Vec::with_capacity(properties.len());
        for (name, value) in properties {
            let (is_array, scalars) = match value {
                Value::Scalar(scalar) => (0, slice::from_ref(scalar)),
                Value::Array(_, scalars) => (1, scalars.as_slice()),
            };
            let elements = elements(value.kind(), scalars);
            items.push(GwcProperty {
                struct_size: table::size::<GwcProperty>(),
                kind: value.kind().code(),
                is_array,
                count: scalars.len() as u32,
                name: GwcStr::borrow(name),
                values: elements.ptr(),
            });
            values.push(elements);
        }
        Borrowed {
            list: GwcProperties {
                struct_size: table::size::<GwcProperties>(),
                property_size: table::size::<GwcProperty>(),
                count: items.len() as u64,
                items: items.as_ptr(),
            },
            _items: items,
            _values: values,
            _source: std::marker::PhantomData,
        }
    }

    /// The list, valid as long as `self`.
    pub fn as_ptr(&self) -> *const GwcProperties {
        ptr::from_ref(&self.list)
    }
}

fn elements(kind: Kind, scalars: &[Scalar]) -> Elements {
    macro_rules! collect {
        ($variant:ident, $kind:ident, $item:ident => $value:expr) => {
            Elements::$variant(
                scalars
                    .iter()
                    .filter_map(|scalar| match scalar {
                        Scalar::$kind($item) => Some($value),
                        _ => None,
                    })
                    .collect(),
            )
        };
    }
    match kind {
        Kind::String => collect!(Text, String, text => GwcStr::borrow(text)),
        Kind::Password => collect!(Text, Password, secret => GwcStr::borrow(secret.expose())),
        Kind::Long => collect!(Long, Long, n => *n),
        Kind::Double => collect!(Double, Double, n => *n),
        Kind::Float => collect!(Float, Float, n => *n),
        Kind::Integer => collect!(Integer, Integer, n => *n),
        Kind::Byte => collect!(Byte, Byte, n => *n),
        Kind::Char => collect!(Char, Char, c => u32::from(*c)),
        Kind::Boolean => collect!(Boolean, Boolean, b => u8::from(*b)),
        Kind::Short => collect!(Short, Short, n => *n),
    }
}

/// Reads a foreign list of properties. The error names the property, never its value.
///
/// # Safety
/// `list` is null or a `gwc_properties` of the contract, valid for the call.
pub unsafe fn read(list: *const GwcProperties) -> Result<Properties, Misuse> {
    // SAFETY: passed on.
    let list = unsafe { table::read(list) }?;
    let mut properties = Properties::new();
    if list.count == 0 {
        return Ok(properties);
    }
    let stride = list.property_size as usize;
    if list.count > MAX_COUNT {
        return Err(Misuse::new(format!(
            "{} properties, at most {MAX_COUNT}",
            list.count
        )));
    }
    if list.items.is_null()
        || !table::STRIDES.contains(&stride)
        || !stride.is_multiple_of(std::mem::align_of::<GwcProperty>())
    {
        return Err(Misuse::new(
            "gwc_properties: items or property_size is wrong",
        ));
    }
    for index in 0..list.count as usize {
        // SAFETY: the writer placed `count` properties `stride` bytes apart.
        let item = unsafe {
            table::read(
                list.items
                    .cast::<u8>()
                    .add(index * stride)
                    .cast::<GwcProperty>(),
            )
        }?;
        if item.struct_size as usize > stride {
            return Err(Misuse::new(
                "gwc_property: struct_size exceeds property_size",
            ));
        }
        // SAFETY: name and values belong to the list, valid for the call.
        let (name, value) = unsafe { (text::text(item.name)?, read_value(&item)) };
        let value = value.map_err(|e| Misuse::new(format!("property {name:?}: {e}")))?;
        if properties.insert(name.to_owned(), value).is_some() {
            return Err(Misuse::new(format!("property {name:?} occurs twice")));
        }
    }
    Ok(properties)
}

unsafe fn read_value(item: &GwcProperty) -> Result<Value, Misuse> {
    let kind = Kind::from_code(item.kind)
        .ok_or_else(|| Misuse::new(format!("type {} does not exist", item.kind)))?;
    if u64::from(item.count) > MAX_COUNT {
        return Err(Misuse::new(format!(
            "{} elements, at most {MAX_COUNT}",
            item.count
        )));
    }
    if item.is_array > 1 || (item.is_array == 0 && item.count != 1) {
        return Err(Misuse::new("is_array and count do not fit"));
    }
    let mut scalars = Vec::with_capacity(item.count as usize);
    // SAFETY: values points to count elements of this type, or is refused as null or unaligned.
    unsafe {
        match kind {
            Kind::String => {
                for s in array::<GwcStr>(item)? {
                    scalars.push(Scalar::String(text::text(*s)?.to_owned()));
                }
            }
            Kind::Password => {
                for s in array::<GwcStr>(item)? {
                    scalars.push(Scalar::Password(Secret::from(text::text(*s)?)));
                }
            }
            Kind::Long => scalars.extend(array::<i64>(item)?.iter().map(|n| Scalar::Long(*n))),
            Kind::Double => scalars.extend(array::<f64>(item)?.iter().map(|n| Scalar::Double(*n))),
            Kind::Float => scalars.extend(array::<f32>(item)?.iter().map(|n| Scalar::Float(*n))),
            Kind::Integer => {
                scalars.extend(array::<i32>(item)?.iter().map(|n| Scalar::Integer(*n)))
            }
            Kind::Byte => scalars.extend(array::<i8>(item)?.iter().map(|n| Scalar::Byte(*n))),
            Kind::Short => scalars.extend(array::<i16>(item)?.iter().map(|n| Scalar::Short(*n))),
            Kind::Char => {
                for code in array::<u32>(item)? {
                    let c = char::from_u32(*code)
                        .ok_or_else(|| Misuse::new(format!("{code:#x} is no character")))?;
                    scalars.push(Scalar::Char(c));
                }
            }
            Kind::Boolean => {
                for byte in array::<u8>(item)? {
                    match byte {
                        0 => scalars.push(Scalar::Boolean(false)),
                        1 => scalars.push(Scalar::Boolean(true)),
                        other => return Err(Misuse::new(format!("{other} is no Boolean"))),
                    }
                }
            }
        }
    }
    if item.is_array == 1 {
        return Ok(Value::Array(kind, scalars));
    }
    scalars
        .pop()
        .map(Value::Scalar)
        .ok_or_else(|| Misuse::new("no value"))
}

unsafe fn array<'a, T>(item: &GwcProperty) -> Result<&'a [T], Misuse> {
    if item.count == 0 {
        return Ok(&[]);
    }
    if item.values.is_null() || !(item.values as usize).is_multiple_of(std::mem::align_of::<T>()) {
        return Err(Misuse::new("values is NULL or not aligned"));
    }
    // SAFETY: not null, aligned, bounded; the caller vouches for the elements.
    Ok(unsafe { slice::from_raw_parts(item.values.cast::<T>(), item.count as usize) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn sample() -> Properties {
        let mut p = Properties::new();
        p.insert("s".into(), "Grüße".into());
        p.insert("empty".into(), "".into());
        p.insert("i".into(), 42.into());
        p.insert("b".into(), true.into());
        p.insert("pw".into(), Secret::from("geheim").into());
        p.insert("c".into(), Value::Scalar(Scalar::Char('ß')));
        p.insert("d".into(), Value::Scalar(Scalar::Double(1.5)));
        p.insert("f".into(), Value::Scalar(Scalar::Float(-0.25)));
        p.insert("l".into(), Value::Scalar(Scalar::Long(i64::MIN)));
        p.insert("y".into(), Value::Scalar(Scalar::Byte(-1)));
        p.insert("h".into(), Value::Scalar(Scalar::Short(-300)));
        let words = vec![Scalar::String("a".into()), Scalar::String(String::new())];
        p.insert("array".into(), Value::array(Kind::String, words).unwrap());
        p.insert("none".into(), Value::array(Kind::Long, vec![]).unwrap());
        p
    }

    #[test]
    fn every_type_survives_the_crossing() {
        let properties = sample();
        let borrowed = Borrowed::new(&properties);
        // SAFETY: borrowed lives.
        let read = unsafe { read(borrowed.as_ptr()) }.unwrap();
        assert_eq!(read, properties);
    }

    #[test]
    fn a_hostile_list_is_an_error_that_names_the_property() {
        let good = sample();
        let borrowed = Borrowed::new(&good);
        let mut broken = *borrowed._items.first().unwrap();
        let list = |item: &GwcProperty| GwcProperties {
            struct_size: table::size::<GwcProperties>(),
            property_size: table::size::<GwcProperty>(),
            count: 1,
            items: item,
        };
        broken.kind = 77;
        // SAFETY: all pointers are valid.
        let e = unsafe { read(&list(&broken)) }.unwrap_err();
        assert!(e.0.contains("\"array\"") && e.0.contains("type 77"), "{e}");
        broken.kind = 1;
        broken.values = ptr::null();
        // SAFETY: as above; NULL is allowed to be passed.
        assert!(unsafe { read(&list(&broken)) }.is_err());
        // SAFETY: as above.
        assert!(unsafe { read(ptr::null()) }.is_err());
        let mut far = list(borrowed._items.first().unwrap());
        for size in [0, 4, 44, (1 << 16) + 8, u32::MAX - 7] {
            far.property_size = size;
            // SAFETY: as above; a wrong size is refused before anything is read by it.
            assert!(unsafe { read(&far) }.is_err(), "{size} bytes apart");
        }
        far.property_size = 1 << 16;
        // SAFETY: as above; there is but one element.
        assert!(unsafe { read(&far) }.is_ok());
        let mut short = list(&broken);
        short.struct_size = 4;
        // SAFETY: as above.
        assert!(unsafe { read(&short) }.is_err());
    }
}
