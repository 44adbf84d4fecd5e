/**
 * Every constant of the table (docs/format.md): magic, version, section kinds, cell sizes, field offsets, limits and the codes with which a
 * table is refused. The only source: scripts/gen-format.mjs copies this file to compiler/format.gen.ts and executor/src/table/format_gen.rs.
 *
 * The generator reads it line by line, so each constant is one `export const NAME: u32 = literal;` under an optional one-line doc comment. The
 * comment of a DEFECT_ constant is the text that users see.
 */

/** Bytes 0..4 of a table, "SAND" as a little-endian number. */
export const MAGIC_LOW: u32 = 0x444e4153;
/** Bytes 4..8 of a table, "LOCK". */
export const MAGIC_HIGH: u32 = 0x4b434f4c;
export const MAJOR: u32 = 2;
export const MINOR: u32 = 0;

// Header (docs/format.md §2).
export const HEADER_BYTES: u32 = 64;
export const HEADER_MAJOR: u32 = 8;
export const HEADER_MINOR: u32 = 10;
export const HEADER_SECTIONS: u32 = 12;
export const HEADER_FILE_BYTES: u32 = 16;
export const HEADER_CHECKSUM: u32 = 24;
export const HEADER_RESERVED: u32 = 28;

// Directory record.
export const DIRECTORY_BYTES: u32 = 16;
export const DIRECTORY_KIND: u32 = 0;
export const DIRECTORY_COUNT: u32 = 4;
export const DIRECTORY_OFFSET: u32 = 8;
export const DIRECTORY_SIZE: u32 = 12;

// Section kinds, in file order.
export const SECTIONS: u32 = 14;
export const SECTION_PLAN: u32 = 1;
export const SECTION_TRIES: u32 = 2;
export const SECTION_PORT_SETS: u32 = 3;
export const SECTION_PORT_RANGES: u32 = 4;
export const SECTION_RULES: u32 = 5;
export const SECTION_NAMES: u32 = 6;
export const SECTION_ADDRESSES: u32 = 7;
export const SECTION_STRINGS: u32 = 8;
export const SECTION_CELLS: u32 = 9;
export const SECTION_FACTS: u32 = 10;
export const SECTION_UNIX_RULES: u32 = 11;
export const SECTION_PRIVATE_NAMES: u32 = 12;
export const SECTION_SETS: u32 = 13;
export const SECTION_MEMBERS: u32 = 14;

// Bytes of one cell of each section.
export const PLAN_BYTES: u32 = 8;
export const TRIE_BYTES: u32 = 40;
export const PORT_SET_BYTES: u32 = 4;
export const PORT_RANGE_BYTES: u32 = 4;
export const RULE_BYTES: u32 = 64;
export const NAME_BYTES: u32 = 24;
export const ADDRESS_BYTES: u32 = 16;
export const STRING_BYTES: u32 = 1;
export const CELL_BYTES: u32 = 8;
export const FACTS_BYTES: u32 = 32;
export const UNIX_RULE_BYTES: u32 = 28;
export const PRIVATE_NAME_BYTES: u32 = 16;
export const ADDRESS_SET_BYTES: u32 = 24;
export const MEMBER_BYTES: u32 = 2;

// Plan cell (§3).
export const PLAN_MODE: u32 = 0;
export const PLAN_RESERVED: u32 = 4;
export const MODE_CLOSED: u32 = 0;
export const MODE_SUPERVISED: u32 = 1;
export const MODE_KERNEL: u32 = 2;
export const MODE_OPEN: u32 = 3;
/** Most ports that are left to the kernel: each is a rule of the command's Landlock domain, made at every start. */
export const KERNEL_PORTS_MAX: u32 = 256;

export const PROTOCOLS: u32 = 5;
export const PROTOCOL_TCP: u32 = 0;
export const PROTOCOL_UDP: u32 = 1;
export const PROTOCOL_ICMP: u32 = 2;
/** From here on, addresses are those that a program binds, not those that it sends to. */
export const PROTOCOL_TCP_BIND: u32 = 3;
export const PROTOCOL_UDP_BIND: u32 = 4;

// Trie descriptor (§4).
export const TRIE_ROOT_BITS: u32 = 0;
export const TRIE_START_BYTES: u32 = 1;
export const TRIE_KEY_BITS: u32 = 2;
export const TRIE_SPANS: u32 = 3;
export const TRIE_COUNT: u32 = 4;
export const TRIE_ROOT: u32 = 8;
export const TRIE_STARTS: u32 = 12;
export const TRIE_SETS: u32 = 16;
export const TRIE_BACKGROUND: u32 = 20;
export const TRIE_RESERVED: u32 = 22;
/** Bytes of a boundary's cell in a trie without spans: a port set. */
export const SET_BYTES: u32 = 2;
// The cell of a boundary in a trie with spans.
export const SPAN_BYTES: u32 = 4;
export const SPAN_SET: u32 = 0;
export const SPAN_BITS: u32 = 2;
export const SPAN_RESERVED: u32 = 3;
/** Descriptors before those of membership: one per protocol and family. */
export const PROTOCOL_TRIES: u32 = 10;
export const ROOT_BITS_MAX: u32 = 18;
/** An array may be named by several descriptors; all namings together hold at most this many times the bytes of the section cells. */
export const SHARING_MAX: u32 = 16;

/** Port sets, the empty one included; ids are 16 bits wide and 65535 stays free. */
export const PORT_SETS_MAX: u32 = 65535;

// Set (§5): the same fields for IPv4 and, behind them, for IPv6.
export const ADDRESS_SET_TRIE: u32 = 0;
export const ADDRESS_SET_FIRST: u32 = 4;
export const ADDRESS_SET_COUNT: u32 = 8;
export const ADDRESS_SET_FAMILY_BYTES: u32 = 12;

// Origin (§7): what rules and UNIX rules say of how and where they were written.
export const ORIGIN_LINE: u32 = 0;
export const ORIGIN_COLUMN: u32 = 4;
export const ORIGIN_TEXT: u32 = 8;
export const ORIGIN_TEXT_BYTES: u32 = 12;
export const ORIGIN_SOURCE: u32 = 16;
export const ORIGIN_SOURCE_BYTES: u32 = 20;

// Rule (§7).
export const RULE_ACTION: u32 = 0;
export const RULE_PROTOCOL: u32 = 1;
export const RULE_TARGET: u32 = 2;
export const RULE_PREFIX_BITS: u32 = 3;
export const RULE_PORT_SET: u32 = 4;
export const RULE_INDEX: u32 = 8;
export const RULE_ORIGIN: u32 = 12;
export const RULE_SET_NAME: u32 = 36;
export const RULE_SET_NAME_BYTES: u32 = 40;
export const RULE_RESERVED: u32 = 44;
export const RULE_ADDRESS: u32 = 48;
export const ACTION_DENY: u32 = 0;
export const ACTION_ALLOW: u32 = 1;
export const TARGET_ANY: u32 = 0;
export const TARGET_IPV4: u32 = 1;
export const TARGET_IPV6: u32 = 2;
export const TARGET_NAME: u32 = 3;
export const TARGET_SET: u32 = 4;

// Name (§7).
export const NAME_TEXT: u32 = 0;
export const NAME_TEXT_BYTES: u32 = 4;
export const NAME_FIRST: u32 = 8;
export const NAME_COUNT: u32 = 12;
export const NAME_KIND: u32 = 16;
export const NAME_RESERVED: u32 = 20;
/** Stands for the addresses that the table holds. */
export const NAME_PINNED: u32 = 0;
/** Is asked for while the command runs. */
export const NAME_LIVE: u32 = 1;
/** Every name below the text, at any depth; asked for while the command runs. */
export const NAME_WILDCARD: u32 = 2;
/** Is to be pinned before a command starts; nothing is run under a table that has one. */
export const NAME_AT_START: u32 = 3;

// Facts (§8).
export const FACTS_FAMILIES: u32 = 0;
export const FACTS_FLAGS: u32 = 4;
export const FACTS_RESOLVE: u32 = 8;
export const FACTS_MAX_AGE: u32 = 12;
export const FACTS_PINNED_AT: u32 = 16;
export const FACTS_RESERVED: u32 = 24;
/** Names became addresses when the command was to start. */
export const RESOLVE_EXEC: u32 = 0;
/** Names became addresses when the table was compiled to be kept. */
export const RESOLVE_COMPILE: u32 = 1;
/** Names are asked for while the command runs. */
export const RESOLVE_LIVE: u32 = 2;
export const FAMILY_UNIX_STREAM: u32 = 1;
export const FAMILY_UNIX_DGRAM: u32 = 2;
export const FAMILY_UNIX_SEQPACKET: u32 = 4;
export const FAMILY_INET_STREAM: u32 = 8;
export const FAMILY_INET_DGRAM: u32 = 16;
export const FAMILY_INET6_STREAM: u32 = 32;
export const FAMILY_INET6_DGRAM: u32 = 64;
export const FAMILY_NETLINK_ROUTE: u32 = 128;
export const FAMILY_ALG: u32 = 256;
/** Pairs of socketpair(2), which are connected from the start, and no other UNIX socket. */
export const FAMILY_UNIX_PAIR: u32 = 512;
/** All families that there are. */
export const FAMILIES_ALL: u32 = 1023;
export const FLAG_ALLOW_USERNS: u32 = 1;
/** All flags that there are. */
export const FLAGS_ALL: u32 = 1;

// UNIX rule (§8).
export const UNIX_RULE_KIND: u32 = 0;
export const UNIX_RULE_ORIGIN: u32 = 4;
export const UNIX_PATH: u32 = 0;
export const UNIX_DIRECTORY: u32 = 1;
export const UNIX_ABSTRACT: u32 = 2;
/** sun_path has 108 bytes; a path is followed by a NUL, an abstract name preceded by one. */
export const UNIX_TEXT_MAX: u32 = 107;

// Private name (§8).
export const PRIVATE_NAME_KIND: u32 = 0;
export const PRIVATE_NAME_LINE: u32 = 4;
export const PRIVATE_NAME_TEXT: u32 = 8;
export const PRIVATE_NAME_TEXT_BYTES: u32 = 12;
export const PRIVATE_EXACT: u32 = 0;
export const PRIVATE_BELOW: u32 = 1;

// The query record of batch look-ups (docs/native.md).
export const QUERY_BYTES: u32 = 24;
export const QUERY_PROTOCOL: u32 = 0;
export const QUERY_FAMILY: u32 = 1;
export const QUERY_PORT: u32 = 2;
export const QUERY_ADDRESS: u32 = 8;

// The draft that compiler/table.ts lays into the memory of policy.wasm; pointers into that memory (policy/draft.ts).
export const DRAFT_BYTES: u32 = 80;
export const DRAFT_RULES: u32 = 0;
export const DRAFT_RULE_COUNT: u32 = 4;
export const DRAFT_PORT_RANGES: u32 = 8;
export const DRAFT_NAMES: u32 = 12;
export const DRAFT_NAME_COUNT: u32 = 16;
export const DRAFT_ADDRESSES: u32 = 20;
export const DRAFT_SETS: u32 = 24;
export const DRAFT_SET_COUNT: u32 = 28;
export const DRAFT_STRINGS: u32 = 32;
export const DRAFT_STRING_BYTES: u32 = 36;
export const DRAFT_FAMILIES: u32 = 40;
export const DRAFT_FLAGS: u32 = 44;
export const DRAFT_UNIX_RULES: u32 = 48;
export const DRAFT_UNIX_RULE_COUNT: u32 = 52;
export const DRAFT_PRIVATE_NAMES: u32 = 56;
export const DRAFT_PRIVATE_NAME_COUNT: u32 = 60;
export const DRAFT_RESOLVE: u32 = 64;
export const DRAFT_MAX_AGE: u32 = 68;
export const DRAFT_PINNED_AT: u32 = 72;
export const DRAFT_SET_BYTES: u32 = 24;
export const DRAFT_SET_V4: u32 = 0;
export const DRAFT_SET_V4_BITS: u32 = 4;
export const DRAFT_SET_V4_COUNT: u32 = 8;
export const DRAFT_SET_V6: u32 = 12;
export const DRAFT_SET_V6_BITS: u32 = 16;
export const DRAFT_SET_V6_COUNT: u32 = 20;

// Why a build stopped (the exported global `failure`).
export const FAILURE_NONE: u32 = 0;
/** the policy needs more than 65535 different port sets */
export const FAILURE_PORT_SETS: u32 = 1;
/** the policy needs a table above 4 GiB or more memory than there is */
export const FAILURE_TOO_LARGE: u32 = 2;
/** the draft breaks the rules of its layout */
export const FAILURE_DRAFT: u32 = 3;

// Refusals (§9).
/** the file is shorter than a table's header */
export const DEFECT_SHORT: u32 = 1;
/** the file does not begin with SANDLOCK, so it is not a table */
export const DEFECT_MAGIC: u32 = 2;
/** the table has a major version that this program does not know; compile its policy anew */
export const DEFECT_MAJOR: u32 = 3;
/** the table has a newer minor version than this program */
export const DEFECT_MINOR: u32 = 4;
/** the number of sections is not that of the version */
export const DEFECT_SECTIONS: u32 = 5;
/** the file is not as long as its header says */
export const DEFECT_FILE_BYTES: u32 = 6;
/** the checksum does not fit: the file was damaged or edited */
export const DEFECT_CHECKSUM: u32 = 7;
/** a reserved field is not zero */
export const DEFECT_RESERVED: u32 = 8;
/** the sections are not in the order of their kinds */
export const DEFECT_KIND: u32 = 9;
/** a section does not begin right after its predecessor */
export const DEFECT_SECTION_OFFSET: u32 = 10;
/** a section has another number of bytes than its count says */
export const DEFECT_SECTION_BYTES: u32 = 11;
/** a section reaches past the end of the file */
export const DEFECT_SECTION_END: u32 = 12;
/** a byte between two sections is not zero */
export const DEFECT_PADDING: u32 = 13;
/** something follows the last section */
export const DEFECT_TRAILING: u32 = 14;
/** a section has a number of cells that no table can have */
export const DEFECT_SECTION_COUNT: u32 = 15;
/** the plan of a protocol is unknown, or none that the protocol can have */
export const DEFECT_PLAN_MODE: u32 = 16;
/** the plan of a protocol contradicts its rules */
export const DEFECT_PLAN_RULES: u32 = 17;
/** a trie's root has too many bits */
export const DEFECT_ROOT_BITS: u32 = 18;
/** a trie's start width does not fit its family and root */
export const DEFECT_START_BYTES: u32 = 19;
/** a trie's key width is not that of its family */
export const DEFECT_KEY_BITS: u32 = 20;
/** a trie has no boundary */
export const DEFECT_TRIE_COUNT: u32 = 21;
/** an array does not begin at a multiple of 8 */
export const DEFECT_ARRAY_ALIGN: u32 = 22;
/** an array lies outside the section of cells */
export const DEFECT_ARRAY_PLACE: u32 = 23;
/** the tries share their arrays more often than allowed */
export const DEFECT_SHARING: u32 = 24;
/** the index of a port set's ranges is wrong */
export const DEFECT_PORT_SET: u32 = 25;
/** the ranges of a port set are not ascending and apart */
export const DEFECT_PORT_RANGE: u32 = 26;
/** the action of a rule is unknown */
export const DEFECT_RULE_ACTION: u32 = 27;
/** the protocol of a rule is unknown */
export const DEFECT_RULE_PROTOCOL: u32 = 28;
/** the target of a rule is unknown, a name where addresses are bound, or a name in a deny rule that is not pinned */
export const DEFECT_RULE_TARGET: u32 = 29;
/** the prefix length of a rule does not fit its target */
export const DEFECT_RULE_PREFIX: u32 = 30;
/** the port set of a rule does not exist, is empty, or is not all ports for icmp */
export const DEFECT_RULE_PORTS: u32 = 31;
/** a rule refers to a name or set that does not exist */
export const DEFECT_RULE_INDEX: u32 = 32;
/** the address of a rule is not in canonical form or has bits below its prefix */
export const DEFECT_RULE_ADDRESS: u32 = 33;
/** a text lies outside the section of strings or cuts a character */
export const DEFECT_TEXT: u32 = 34;
/** the addresses of a name do not follow those of its predecessor */
export const DEFECT_NAME_ADDRESSES: u32 = 35;
/** the addresses of a name are not canonical and ascending */
export const DEFECT_ADDRESS: u32 = 36;
/** the section of strings is not UTF-8 */
export const DEFECT_UTF8: u32 = 37;
/** a trie's root does not lead from 0 to its number of boundaries */
export const DEFECT_ROOT: u32 = 38;
/** the starts of a trie are not ascending or lie outside their child */
export const DEFECT_START: u32 = 39;
/** a boundary names a port set that does not exist */
export const DEFECT_SET: u32 = 40;
/** two neighbouring boundaries have the same port set */
export const DEFECT_SET_REPEATED: u32 = 41;
/** the trie of a closed protocol allows something */
export const DEFECT_CLOSED: u32 = 42;
/** a family of sockets is unknown */
export const DEFECT_FAMILIES: u32 = 43;
/** a flag of the policy is unknown */
export const DEFECT_FLAGS: u32 = 44;
/** the kind of a UNIX rule is unknown */
export const DEFECT_UNIX_KIND: u32 = 45;
/** the text of a UNIX rule is empty, longer than an address, has a NUL or is not an absolute path without final slash */
export const DEFECT_UNIX_TEXT: u32 = 46;
/** the kind of a name is unknown */
export const DEFECT_NAME_KIND: u32 = 47;
/** the way in which names become addresses is unknown */
export const DEFECT_RESOLVE: u32 = 48;
/** the kind of a private name is unknown */
export const DEFECT_PRIVATE_KIND: u32 = 49;
/** a trie has cells of an unknown form */
export const DEFECT_SPANS: u32 = 50;
/** the background of a trie is a port set that does not exist, or that a closed protocol or a trie without spans can not have */
export const DEFECT_BACKGROUND: u32 = 51;
/** a span has more bits than its keys, or fewer than its trie's root */
export const DEFECT_SPAN: u32 = 52;
/** the tries of a protocol that is not supervised tell addresses apart */
export const DEFECT_ADDRESSES: u32 = 53;
/** an open protocol does not have all ports, or one for the kernel has none */
export const DEFECT_PORTS: u32 = 54;
/** a set has a trie that does not exist or is of the other family */
export const DEFECT_SET_TRIE: u32 = 55;
/** the members of a set do not follow those of its predecessor */
export const DEFECT_SET_MEMBERS: u32 = 56;
/** the members of a set are not ascending, or no port sets of its trie */
export const DEFECT_MEMBER: u32 = 57;
/** a rule has a line and no column, or a column and no line */
export const DEFECT_PLACE: u32 = 58;
