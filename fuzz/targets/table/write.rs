//! A writer of tables from descriptions, by docs/format.md alone: any legal root and width, nothing shared,
//! nothing folded.

/// Longest root of most tries; one of each table may have up to 18 bits.
const SHORT_ROOT: u8 = 8;

/// A trie to be written.
#[derive(Debug)]
pub struct Boundaries {
    root_bits: u8,
    start_bytes: u8,
    /// Port set behind spans; none when the trie has none.
    background: Option<u16>,
    /// Ascending, the first key is 0; neighbours have different port sets.
    pub boundaries: Vec<(u128, u16)>,
    /// Bits of each boundary that is a span, else 0.
    bits: Vec<u8>,
}

/// What a table shall say.
#[derive(Debug)]
pub struct Description {
    /// Ranges by port set: none, all, then any.
    pub port_sets: Vec<Vec<(u16, u16)>>,
    /// By protocol and family.
    pub tries: [[Boundaries; 2]; 5],
}

/// The next bytes of the input; zeros behind its end.
fn take<const N: usize>(input: &mut &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    let (head, rest) = input.split_at(input.len().min(N));
    bytes[..head.len()].copy_from_slice(head);
    *input = rest;
    bytes
}

impl Description {
    /// Every input describes a table.
    pub fn read(input: &mut &[u8]) -> Self {
        let mut port_sets = vec![vec![], vec![(0, u16::MAX)]];
        let [more] = take(input);
        for _ in 0..more % 4 {
            let mut edges: Vec<u16> = (0..4).map(|_| u16::from_le_bytes(take(input))).collect();
            edges.sort_unstable();
            let mut ranges = vec![(edges[0], edges[1])];
            if edges[2] > edges[1].saturating_add(1) {
                ranges.push((edges[2], edges[3]));
            }
            port_sets.push(ranges);
        }
        let mut long = true;
        let tries = std::array::from_fn(|_| {
            [32, 128].map(|bits| Boundaries::read(input, bits, port_sets.len() as u16, &mut long))
        });
        Self { port_sets, tries }
    }

    /// The file; length and checksum are still to be set.
    pub fn write(&self) -> Vec<u8> {
        let mut sections: [Vec<u8>; 14] = Default::default();
        let [plan, tries, port_sets, port_ranges, rules, _, _, strings, cells, facts, ..] = &mut sections;
        strings.extend(b"any");
        facts.extend([0; 32]);
        port_sets.extend(0u32.to_le_bytes());
        for set in &self.port_sets {
            for &(low, high) in set {
                port_ranges.extend([low.to_le_bytes(), high.to_le_bytes()].concat());
            }
            port_sets.extend(((port_ranges.len() / 4) as u32).to_le_bytes());
        }
        for (protocol, [ipv4, ipv6]) in (0u8..).zip(&self.tries) {
            let is_open = [ipv4, ipv6].iter().any(|trie| trie.names_ports());
            plan.extend(u64::from(is_open).to_le_bytes());
            if is_open {
                // allow, any address, port set 1, the text "any" as its source as well
                let mut rule = [0; 64];
                rule[..8].copy_from_slice(&[1, protocol, 0, 0, 1, 0, 0, 0]);
                rule[24] = 3;
                rules.extend(rule);
            }
            for (trie, key_bits) in [(ipv4, 32), (ipv6, 128)] {
                trie.write(key_bits, tries, cells);
            }
        }
        assemble(sections)
    }
}

impl Boundaries {
    /// Whether any port set but the empty one stands in it.
    fn names_ports(&self) -> bool {
        self.background.is_some_and(|set| set != 0) || self.boundaries.iter().any(|&(_, set)| set != 0)
    }

    fn read(input: &mut &[u8], key_bits: u8, port_sets: u16, long: &mut bool) -> Self {
        let [shape, count] = take(input);
        // Two bits of the shape ask for a long root, so that few inputs cost what it costs.
        let is_long = shape & 0x60 == 0x60 && std::mem::take(long);
        let root_bits = match (is_long, shape & 31) {
            (true, 31) => 18,
            (true, 30) => 17,
            (true, _) => 16,
            (false, bits) => bits % (SHORT_ROOT + 1),
        };
        let start_bytes = match (key_bits, shape >> 7) {
            (32, 1) if root_bits >= 16 => 2,
            (32, _) => 4,
            (_, 1) => 8,
            _ => 16,
        };
        let mut keys: Vec<(u128, u16)> = (0..count % 16)
            .map(|_| {
                let key = u128::from_be_bytes(take(input)) >> (128 - u32::from(key_bits));
                let key = if start_bytes == 8 { key >> 64 << 64 } else { key };
                let [set] = take(input);
                (key, u16::from(set) % port_sets)
            })
            .collect();
        let [first] = take(input);
        keys.push((0, u16::from(first) % port_sets));
        keys.sort_by_key(|&(key, _)| key);
        keys.dedup_by_key(|&mut (key, _)| key);
        keys.dedup_by_key(|&mut (_, set)| set);
        let [spans] = take(input);
        let mut own = Self { root_bits, start_bytes, background: None, boundaries: keys, bits: vec![] };
        own.bits = vec![0; own.boundaries.len()];
        if spans & 1 == 1 {
            own.make_spans(
                input,
                u16::from(spans >> 1) % port_sets,
                if start_bytes == 8 { 64 } else { key_bits },
            );
        }
        own
    }

    /// Makes some boundaries spans, any of their lengths; drops those that change nothing then.
    fn make_spans(&mut self, input: &mut &[u8], background: u16, most: u8) {
        let mut kept = (vec![], vec![]);
        let mut before = None;
        for &(key, set) in &self.boundaries {
            let [length] = take(input);
            let bits = self.root_bits.max(1) + (length >> 1) % most;
            // A span of the background would change nothing.
            let is_span = length & 1 == 1 && bits <= most && set != background;
            let bits = if is_span { bits } else { 0 };
            if !is_span && before == Some(set) {
                continue;
            }
            kept.0.push((key, set));
            kept.1.push(bits);
            before = Some(if bits == 0 { set } else { background });
        }
        (self.boundaries, self.bits) = kept;
        self.background = Some(background);
    }

    /// Adds the descriptor and its arrays; offsets are relative to the cells until `assemble`.
    fn write(&self, key_bits: u8, tries: &mut Vec<u8>, cells: &mut Vec<u8>) {
        let child = |key: u128| {
            key.checked_shr(u32::from(key_bits - self.root_bits)).map_or(0, |child| child as usize)
        };
        let mut root = Vec::with_capacity(4 << self.root_bits);
        for (index, &(key, _)) in (0u32..).zip(&self.boundaries) {
            // Boundary `index` is the first of its child and of the empty ones before.
            while root.len() / 4 <= child(key) {
                root.extend(index.to_le_bytes());
            }
        }
        while root.len() / 4 <= 1 << self.root_bits {
            root.extend((self.boundaries.len() as u32).to_le_bytes());
        }
        let start = |key: u128| match self.start_bytes {
            2 => key.to_le_bytes()[..2].to_vec(),
            4 => key.to_le_bytes()[..4].to_vec(),
            8 => ((key >> 64) as u64).to_le_bytes().to_vec(),
            _ => key.rotate_left(64).to_le_bytes().to_vec(),
        };
        let starts = self.boundaries.iter().flat_map(|&(key, _)| start(key)).collect();
        let cell = |(&(_, set), &bits): (&(u128, u16), &u8)| {
            let [low, high] = set.to_le_bytes();
            let cell = [low, high, bits, 0];
            cell[..if self.background.is_some() { 4 } else { 2 }].to_vec()
        };
        let sets = self.boundaries.iter().zip(&self.bits).flat_map(cell).collect();
        tries.extend([self.root_bits, self.start_bytes, key_bits, u8::from(self.background.is_some())]);
        tries.extend((self.boundaries.len() as u32).to_le_bytes());
        for array in [root, starts, sets] {
            tries.extend((cells.len() as u32).to_le_bytes());
            cells.extend::<Vec<u8>>(array);
            cells.resize(cells.len().next_multiple_of(8), 0);
        }
        tries.extend(self.background.unwrap_or(0).to_le_bytes());
        tries.extend([0; 18]);
    }
}

/// Header, directory and sections; the offsets of the tries' arrays become those of the file.
fn assemble(mut sections: [Vec<u8>; 14]) -> Vec<u8> {
    const CELL_BYTES: [usize; 14] = [8, 40, 4, 4, 64, 24, 16, 1, 8, 32, 28, 16, 24, 2];
    let mut offset = 64 + 14 * 16;
    let mut offsets = [0; 14];
    for (place, section) in offsets.iter_mut().zip(&sections) {
        offset = usize::next_multiple_of(offset, 8);
        *place = offset;
        offset += section.len();
    }
    for trie in sections[1].chunks_exact_mut(40) {
        for field in trie[8..20].as_chunks_mut::<4>().0 {
            *field = (u32::from_le_bytes(*field) + offsets[8] as u32).to_le_bytes();
        }
    }
    let mut file = b"SANDLOCK\x02\0\0\0\x0e\0\0\0".to_vec();
    file.resize(64, 0);
    for (kind, ((section, cell), offset)) in (1u32..).zip(sections.iter().zip(CELL_BYTES).zip(offsets)) {
        for word in [kind, (section.len() / cell) as u32, offset as u32, section.len() as u32] {
            file.extend(word.to_le_bytes());
        }
    }
    for (section, offset) in sections.iter().zip(offsets) {
        file.resize(offset, 0);
        file.extend(section);
    }
    file
}
