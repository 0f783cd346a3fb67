//! Items in their stored form: CBOR (RFC 8949), with a column for each field of the holds.

use std::collections::BTreeMap;

use ciborium_io::Read;
use ciborium_ll::{Decoder, Encoder, Header, simple};
use uuid::Uuid;

use crate::{Adjustment, Bytes, Hold, Item, Returned, Unreadable};

/// The tag that marks CBOR (RFC 8949, 3.4.6).
const SELF_DESCRIBED: Header = Header::Tag(55799);

/// The format that is written, and the only one that is read.
const FORMAT: u64 = 1;

/// The optional fields in their order, which follow the four that are always there.
const PARTS: [&str; 11] = [
    "max_per_order",
    "name",
    "image",
    "received",
    "sold",
    "returned",
    "written_off",
    "holds",
    "settled_keys",
    "adjustments",
    "returns",
];

type Result<T> = std::result::Result<T, Unreadable>;

impl Item {
    /// The item with these bytes. There is one form that an item has, but that numbers may be longer than they need be.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut from = Reader { decoder: Decoder::from(bytes), length: bytes.len() };
        from.is(SELF_DESCRIBED)?;
        let fields = from.map()?;
        from.name("format")?;
        match from.number()? {
            FORMAT => {}
            other => return Err(Unreadable::Format(other)),
        }
        let version = from.named("version")?;
        let on_hand = from.named("on_hand")?;
        let unit_price = from.named("unit_price")?;
        let mut item = Self { version, on_hand, unit_price, ..Self::default() };
        let mut parts = PARTS.into_iter();
        let Some(following) = fields.checked_sub(4) else { return from.wrong() };
        for _ in 0..following {
            let name = from.text()?;
            match parts.find(|part| part.as_bytes() == name) {
                Some("max_per_order") => item.max_per_order = Some(from.number()?),
                Some("name") => item.name = Some(from.words()?),
                Some("image") => item.image = Some(from.words()?),
                Some("received") => item.received = Some(from.number()?),
                Some("sold") => item.sold = Some(from.number()?),
                Some("returned") => item.returned = Some(from.number()?),
                Some("written_off") => item.written_off = Some(from.number()?),
                Some("holds") => item.holds = from.holds()?,
                Some("settled_keys") => {
                    for _ in 0..from.some()? {
                        from.is(Header::Array(Some(2)))?;
                        let key = Bytes(from.fixed()?);
                        let order = Uuid::from_bytes(from.fixed()?);
                        from.add(&mut item.settled_keys, key, order)?;
                    }
                }
                Some("adjustments") => {
                    for _ in 0..from.some()? {
                        from.is(Header::Array(Some(2)))?;
                        item.adjustments.push(Adjustment { key: Bytes(from.fixed()?), request: Bytes(from.fixed()?) });
                    }
                }
                Some("returns") => {
                    for _ in 0..from.some()? {
                        from.is(Header::Array(Some(2)))?;
                        let id = Bytes(from.fixed()?);
                        if item.returns.iter().any(|other| other.id == id) {
                            return from.wrong();
                        }
                        item.returns.push(Returned { id, order: Uuid::from_bytes(from.fixed()?) });
                    }
                }
                _ => return from.wrong(),
            }
        }
        let came_back = match (item.returned, item.written_off) {
            (None, None) => true,
            (Some(returned @ 1..), Some(written_off)) => written_off <= returned,
            _ => false,
        };
        // Both or neither, and neither where they would only repeat other fields.
        let accounts = match (item.received, item.sold) {
            (None, None) => item.returned.is_none(),
            (Some(received), Some(sold)) => sold > 0 || item.returned.is_some() || received != item.on_hand,
            _ => false,
        };
        if came_back && accounts && from.decoder.offset() == bytes.len() { Ok(item) } else { from.wrong() }
    }

    /// The bytes of the item.
    pub fn encode(&self) -> Vec<u8> {
        let texts = [("name", &self.name), ("image", &self.image)];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
        let accounts = [
            ("received", self.received),
            ("sold", self.sold),
            ("returned", self.returned),
            ("written_off", self.written_off),
        ];
        let accounts = accounts.into_iter().filter_map(|(name, number)| Some((name, number?)));
        let lists = [self.settled_keys.len(), self.adjustments.len(), self.returns.len()];
        let parts = [self.holds.len()].into_iter().chain(lists).filter(|length| *length > 0).count();
        let mut to = Writer(Vec::new());
        to.push(SELF_DESCRIBED);
        let optional = usize::from(self.max_per_order.is_some()) + texts.clone().count() + accounts.clone().count();
        to.push(Header::Map(Some(4 + optional + parts)));
        let fields = ["format", "version", "on_hand", "unit_price"];
        for (name, number) in fields.into_iter().zip([FORMAT, self.version, self.on_hand, self.unit_price]) {
            to.text(name);
            to.push(Header::Positive(number));
        }
        if let Some(limit) = self.max_per_order {
            to.text("max_per_order");
            to.push(Header::Positive(limit));
        }
        for (name, text) in texts {
            to.text(name);
            to.text(text);
        }
        for (name, number) in accounts {
            to.text(name);
            to.push(Header::Positive(number));
        }
        if !self.holds.is_empty() {
            to.holds(&self.holds);
        }
        if !self.settled_keys.is_empty() {
            to.array("settled_keys", self.settled_keys.len());
            for (key, order) in &self.settled_keys {
                to.pair(&key.0, order.as_bytes());
            }
        }
        if !self.adjustments.is_empty() {
            to.array("adjustments", self.adjustments.len());
            for Adjustment { key, request } in &self.adjustments {
                to.pair(&key.0, &request.0);
            }
        }
        if !self.returns.is_empty() {
            to.array("returns", self.returns.len());
            for Returned { id, order } in &self.returns {
                to.pair(&id.0, order.as_bytes());
            }
        }
        to.0
    }
}

struct Reader<'a> {
    decoder: Decoder<&'a [u8]>,
    /// Of all bytes.
    length: usize,
}

impl Reader<'_> {
    fn wrong<T>(&mut self) -> Result<T> {
        Err(Unreadable::Item(self.decoder.offset()))
    }

    fn header(&mut self) -> Result<Header> {
        self.decoder.pull().or_else(|_| self.wrong())
    }

    fn is(&mut self, expected: Header) -> Result<()> {
        if self.header()? == expected { Ok(()) } else { self.wrong() }
    }

    fn number(&mut self) -> Result<u64> {
        match self.header()? {
            Header::Positive(number) => Ok(number),
            _ => self.wrong(),
        }
    }

    fn difference(&mut self) -> Result<i128> {
        match self.header()? {
            Header::Positive(number) => Ok(number.into()),
            Header::Negative(number) => Ok(-1 - i128::from(number)),
            _ => self.wrong(),
        }
    }

    fn map(&mut self) -> Result<usize> {
        match self.header()? {
            Header::Map(Some(fields)) => Ok(fields),
            _ => self.wrong(),
        }
    }

    /// The length of a list that is not empty.
    fn some(&mut self) -> Result<usize> {
        match self.header()? {
            Header::Array(Some(length @ 1..)) => Ok(length),
            _ => self.wrong(),
        }
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        if length > self.length {
            return self.wrong();
        }
        let mut bytes = vec![0; length];
        self.decoder.read_exact(&mut bytes).or_else(|_| self.wrong())?;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<Vec<u8>> {
        match self.header()? {
            Header::Text(Some(length)) => self.take(length),
            _ => self.wrong(),
        }
    }

    fn words(&mut self) -> Result<String> {
        String::from_utf8(self.text()?).or_else(|_| self.wrong())
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        match self.header()? {
            Header::Bytes(Some(length)) => self.take(length),
            _ => self.wrong(),
        }
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.bytes()?.try_into().or_else(|_| self.wrong())
    }

    fn name(&mut self, expected: &str) -> Result<()> {
        if self.text()? == expected.as_bytes() { Ok(()) } else { self.wrong() }
    }

    fn named(&mut self, name: &str) -> Result<u64> {
        self.name(name)?;
        self.number()
    }

    /// Adds a value that has to be greater than all before it.
    fn add<K: Ord, V>(&mut self, map: &mut BTreeMap<K, V>, key: K, value: V) -> Result<()> {
        if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return self.wrong();
        }
        map.insert(key, value);
        Ok(())
    }

    /// The values of a column, one for each hold.
    fn column<T>(&mut self, name: &str, holds: usize, value: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.name(name)?;
        self.is(Header::Array(Some(holds)))?;
        (0..holds).map(|_| value(self)).collect()
    }

    fn holds(&mut self) -> Result<BTreeMap<Uuid, Hold>> {
        let columns = self.map()?;
        self.name("order")?;
        let orders = self.bytes()?;
        let (orders @ [_, ..], []) = orders.as_chunks() else { return self.wrong() };
        let quantities = self.column("quantity", orders.len(), Self::number)?;
        let differences = self.column("expires_at", orders.len(), Self::difference)?;
        let keys = match columns {
            3 => vec![None; orders.len()],
            4 => self.column("key", orders.len(), Self::key)?,
            _ => return self.wrong(),
        };
        if columns == 4 && keys.iter().all(Option::is_none) {
            return self.wrong();
        }
        let mut holds = BTreeMap::new();
        let mut moment = 0_i128;
        for (((order, quantity), difference), key) in orders.iter().zip(quantities).zip(differences).zip(keys) {
            moment += difference;
            let expires_at = moment.try_into().or_else(|_| self.wrong())?;
            self.add(&mut holds, Uuid::from_bytes(*order), Hold { quantity, expires_at, key })?;
        }
        Ok(holds)
    }

    fn key(&mut self) -> Result<Option<Bytes<16>>> {
        match self.header()? {
            Header::Simple(simple::NULL) => Ok(None),
            header => {
                self.decoder.push(header);
                Ok(Some(Bytes(self.fixed()?)))
            }
        }
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn encoder(&mut self) -> Encoder<&mut Vec<u8>> {
        Encoder::from(&mut self.0)
    }

    fn push(&mut self, header: Header) {
        self.encoder().push(header).expect("memory takes everything");
    }

    fn text(&mut self, text: &str) {
        self.encoder().text(text, None).expect("memory takes everything");
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.encoder().bytes(bytes, None).expect("memory takes everything");
    }

    fn array(&mut self, name: &str, length: usize) {
        self.text(name);
        self.push(Header::Array(Some(length)));
    }

    fn pair(&mut self, first: &[u8], second: &[u8]) {
        self.push(Header::Array(Some(2)));
        self.bytes(first);
        self.bytes(second);
    }

    fn holds(&mut self, holds: &BTreeMap<Uuid, Hold>) {
        let keyed = holds.values().any(|hold| hold.key.is_some());
        self.text("holds");
        self.push(Header::Map(Some(if keyed { 4 } else { 3 })));
        self.text("order");
        self.bytes(&holds.keys().flat_map(Uuid::as_bytes).copied().collect::<Vec<_>>());
        self.array("quantity", holds.len());
        for hold in holds.values() {
            self.push(Header::Positive(hold.quantity));
        }
        self.array("expires_at", holds.len());
        let mut before = 0;
        for Hold { expires_at, .. } in holds.values() {
            self.push(match expires_at.checked_sub(before) {
                Some(later) => Header::Positive(later),
                None => Header::Negative(before - expires_at - 1),
            });
            before = *expires_at;
        }
        if keyed {
            self.array("key", holds.len());
            for hold in holds.values() {
                match hold.key {
                    Some(key) => self.bytes(&key.0),
                    None => self.push(Header::Simple(simple::NULL)),
                }
            }
        }
    }
}
