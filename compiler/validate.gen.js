// Generated from compiler/policy.schema.json by scripts/gen-schema.mjs. Do not edit.
// <stdin>
var validate = validate10;
var stdin_default = validate10;
var schema11 = { "$schema": "http://json-schema.org/draft-07/schema#", "$id": "policy.schema.json", "title": "sandlock policy", "description": "Which network destinations a command may reach: everything that is not allowed here is refused. Unknown keys, and keys that this version does not implement, are errors: a policy is enforced whole or not at all.", "type": "object", "additionalProperties": false, "properties": { "network": { "description": "Which destinations may be reached, what may be bound, and which sockets may be used. What no allow rule matches is refused; deny always wins; the order of rules does not matter.", "type": "object", "additionalProperties": false, "properties": { "allow": { "description": "What may be reached: rules `[tcp://|udp://|icmp://]target:ports`, TCP without a scheme. Target: a name, an address, a CIDR, `[IPv6]`, `@set` or `*`; ports: `443`, `80,443`, `6000-6010` or `*`. An empty list allows nothing, loopback included.", "type": "array", "items": { "$ref": "#/definitions/rule" }, "examples": [["api.example.com:443", "tcp://10.20.0.0/16:5432", "udp://1.1.1.1:53"]] }, "deny": { "description": "What may not be reached, whatever `allow` says. The same rules as in `allow`, but never with names: a name that resolves to another address tomorrow would let it through.", "type": "array", "items": { "$ref": "#/definitions/rule" }, "examples": [["169.254.169.254:*"]] }, "allow_bind": { "description": "What may be bound and listened on: rules `[tcp://|udp://]address:ports`. `:8080` is every address, `127.0.0.1:8080` this machine alone. Without this key and `deny_bind`, nothing may.", "type": "array", "items": { "$ref": "#/definitions/bindRule" }, "examples": [["127.0.0.1:8080", "udp://:5353", ":3000-3010"]] }, "deny_bind": { "description": "What may not be bound while everything else may. Stands in place of `allow_bind`, never beside it.", "type": "array", "items": { "$ref": "#/definitions/bindRule" }, "examples": [[":22", ":5900-5999"]] }, "port_remap": { "description": "Whether bound ports are mapped to free ones.", "$comment": "not implemented yet", "type": "boolean" }, "allow_unix": { "description": "UNIX sockets of other programs that may be reached; those of the command's own programs always may. The program behind such a socket may do for the command whatever it likes, the network included.", "type": "array", "items": { "description": "An absolute path, a directory with a final `/` for every socket below it, or `@` and an abstract name.", "type": "string" }, "examples": [["/run/postgresql/.s.PGSQL.5432", "/run/user/1000/", "@abstract-name"]] }, "allow_families": { "description": "Kinds of sockets that programs may make; all others do not exist for them. `inet` is `inet/stream` (TCP) and `inet/dgram` (UDP, ping). An empty list allows no socket at all.", "type": "array", "items": { "description": "A family (`inet`), or one kind of its sockets (`inet/stream`).", "enum": ["unix", "inet", "inet6", "unix/stream", "unix/dgram", "unix/seqpacket", "inet/stream", "inet/dgram", "inet6/stream", "inet6/dgram", "netlink/route", "alg", "unix/pair"] }, "default": ["unix", "inet", "inet6", "netlink/route"] } } }, "sets": { "description": "Named sets of addresses and networks; a rule names one as `@name`. A set that no rule names gives a warning, an empty one is an error.", "type": "object", "propertyNames": { "pattern": "^[A-Za-z0-9_-]+$" }, "additionalProperties": { "description": 'A list of addresses and CIDRs, IPv6 without brackets; or `{ file = "path" }` with one of them a line, a million if need be.', "if": { "type": "object" }, "then": { "additionalProperties": false, "required": ["file"], "properties": { "file": { "description": "File with one address or CIDR a line and `#` comments; the path is relative to the policy.", "type": "string" } } }, "else": { "type": "array", "items": { "description": "An address or CIDR.", "type": "string" } } } }, "dns": { "description": "How the names in rules become addresses.", "type": "object", "additionalProperties": false, "properties": { "resolve": { "description": "When names become addresses: when the policy is compiled, when the sandbox starts (default), or while it runs, whenever it asks for one.", "enum": ["compile", "exec", "live"] }, "max_age": { "description": "How old addresses that were pinned when compiling may be before `sandlock exec` warns: a number and s, m, h or d. Seven days, when nothing is said.", "type": "string", "examples": ["12h", "30d"] }, "private": { "description": "Names that may have private, loopback or link-local addresses; `*.example.com` is every name below. Other names lose such answers, because that is how DNS rebinding reaches internal hosts.", "type": "array", "items": { "description": "A name, or `*.` and a name.", "type": "string" } }, "wide": { "description": "Wildcards of rules that are as wide as a public suffix, below which anybody can register a name, and are meant all the same.", "type": "array", "items": { "description": "A wildcard, such as `*.github.io`.", "type": "string" }, "examples": [["*.github.io"]] } } }, "filesystem": { "description": "Which files may be used.", "$comment": "not implemented yet", "type": "object", "additionalProperties": false, "properties": { "read": { "description": "Paths that may be read.", "$comment": "not implemented yet", "type": "array", "items": { "type": "string" } }, "write": { "description": "Paths that may be written.", "$comment": "not implemented yet", "type": "array", "items": { "type": "string" } }, "deny": { "description": "Paths that may not be used.", "$comment": "not implemented yet", "type": "array", "items": { "type": "string" } } } }, "http": { "description": "Rules on HTTP requests.", "$comment": "not implemented yet", "type": "object", "additionalProperties": false, "properties": { "allow": { "description": "Requests that may be made.", "$comment": "not implemented yet", "type": "array", "items": { "type": "string" } }, "deny": { "description": "Requests that may not be made.", "$comment": "not implemented yet", "type": "array", "items": { "type": "string" } }, "ports": { "description": "Ports whose traffic is HTTP.", "$comment": "not implemented yet", "type": "array", "items": { "type": "integer" } } } }, "program": { "description": "The command and what it may do apart from the network.", "type": "object", "additionalProperties": false, "properties": { "exec": { "description": "The command.", "$comment": "not implemented yet", "type": "string" }, "args": { "description": "Its arguments.", "$comment": "not implemented yet", "type": "array", "items": { "type": "string" } }, "env": { "description": "Environment variables.", "$comment": "not implemented yet", "type": "object", "additionalProperties": { "type": "string" } }, "cwd": { "description": "Working directory.", "$comment": "not implemented yet", "type": "string" }, "clean_env": { "description": "Whether the environment starts empty.", "$comment": "not implemented yet", "type": "boolean" }, "allow_userns": { "description": "Whether programs may make user namespaces, and others inside them, as browsers and bwrap do for sandboxes of their own. The rules hold inside as well.", "type": "boolean", "default": false } } }, "limits": { "description": "Resource limits.", "$comment": "not implemented yet", "type": "object", "additionalProperties": false, "properties": { "memory": { "description": "Bytes, or `512M`.", "$comment": "not implemented yet", "type": ["string", "integer"] }, "processes": { "description": "Number of processes.", "$comment": "not implemented yet", "type": "integer" }, "open_files": { "description": "Open descriptors of one process.", "$comment": "not implemented yet", "type": "integer" } } } }, "definitions": { "rule": { "description": "A destination: `[tcp://|udp://|icmp://]target[:ports]`. TCP and UDP need ports, ICMP has none. `example.com:443`, `tcp://10.20.0.0/16:5432,6000-6010`, `udp://[2001:db8::1]:53`, `icmp://*`, `@mirrors:443`.", "type": "string" }, "bindRule": { "description": "What is bound: `[tcp://|udp://]address:ports`; nothing before the colon is every address. Never a name. `127.0.0.1:8080`, `:3000-3010`, `udp://[::1]:5353`.", "type": "string" } } };
var pattern0 = new RegExp("^[A-Za-z0-9_-]+$", "u");
function validate10(data, { instancePath = "", parentData, parentDataProperty, rootData = data } = {}) {
  ;
  let vErrors = null;
  let errors = 0;
  if (data && typeof data == "object" && !Array.isArray(data)) {
    for (const key0 in data) {
      if (!(key0 === "network" || key0 === "sets" || key0 === "dns" || key0 === "filesystem" || key0 === "http" || key0 === "program" || key0 === "limits")) {
        const err0 = { instancePath, schemaPath: "#/additionalProperties", keyword: "additionalProperties", params: { additionalProperty: key0 }, message: "must NOT have additional properties" };
        if (vErrors === null) {
          vErrors = [err0];
        } else {
          vErrors.push(err0);
        }
        errors++;
      }
    }
    if (data.network !== void 0) {
      let data0 = data.network;
      if (data0 && typeof data0 == "object" && !Array.isArray(data0)) {
        for (const key1 in data0) {
          if (!(key1 === "allow" || key1 === "deny" || key1 === "allow_bind" || key1 === "deny_bind" || key1 === "port_remap" || key1 === "allow_unix" || key1 === "allow_families")) {
            const err1 = { instancePath: instancePath + "/network", schemaPath: "#/properties/network/additionalProperties", keyword: "additionalProperties", params: { additionalProperty: key1 }, message: "must NOT have additional properties" };
            if (vErrors === null) {
              vErrors = [err1];
            } else {
              vErrors.push(err1);
            }
            errors++;
          }
        }
        if (data0.allow !== void 0) {
          let data1 = data0.allow;
          if (Array.isArray(data1)) {
            const len0 = data1.length;
            for (let i0 = 0; i0 < len0; i0++) {
              if (typeof data1[i0] !== "string") {
                const err2 = { instancePath: instancePath + "/network/allow/" + i0, schemaPath: "#/definitions/rule/type", keyword: "type", params: { type: "string" }, message: "must be string" };
                if (vErrors === null) {
                  vErrors = [err2];
                } else {
                  vErrors.push(err2);
                }
                errors++;
              }
            }
          } else {
            const err3 = { instancePath: instancePath + "/network/allow", schemaPath: "#/properties/network/properties/allow/type", keyword: "type", params: { type: "array" }, message: "must be array" };
            if (vErrors === null) {
              vErrors = [err3];
            } else {
              vErrors.push(err3);
            }
            errors++;
          }
        }
        if (data0.deny !== void 0) {
          let data3 = data0.deny;
          if (Array.isArray(data3)) {
            const len1 = data3.length;
            for (let i1 = 0; i1 < len1; i1++) {
              if (typeof data3[i1] !== "string") {
                const err4 = { instancePath: instancePath + "/network/deny/" + i1, schemaPath: "#/definitions/rule/type", keyword: "type", params: { type: "string" }, message: "must be string" };
                if (vErrors === null) {
                  vErrors = [err4];
                } else {
                  vErrors.push(err4);
                }
                errors++;
              }
            }
          } else {
            const err5 = { instancePath: instancePath + "/network/deny", schemaPath: "#/properties/network/properties/deny/type", keyword: "type", params: { type: "array" }, message: "must be array" };
            if (vErrors === null) {
              vErrors = [err5];
            } else {
              vErrors.push(err5);
            }
            errors++;
          }
        }
        if (data0.allow_bind !== void 0) {
          let data5 = data0.allow_bind;
          if (Array.isArray(data5)) {
            const len2 = data5.length;
            for (let i2 = 0; i2 < len2; i2++) {
              if (typeof data5[i2] !== "string") {
                const err6 = { instancePath: instancePath + "/network/allow_bind/" + i2, schemaPath: "#/definitions/bindRule/type", keyword: "type", params: { type: "string" }, message: "must be string" };
                if (vErrors === null) {
                  vErrors = [err6];
                } else {
                  vErrors.push(err6);
                }
                errors++;
              }
            }
          } else {
            const err7 = { instancePath: instancePath + "/network/allow_bind", schemaPath: "#/properties/network/properties/allow_bind/type", keyword: "type", params: { type: "array" }, message: "must be array" };
            if (vErrors === null) {
              vErrors = [err7];
            } else {
              vErrors.push(err7);
            }
            errors++;
          }
        }
        if (data0.deny_bind !== void 0) {
          let data7 = data0.deny_bind;
          if (Array.isArray(data7)) {
            const len3 = data7.length;
            for (let i3 = 0; i3 < len3; i3++) {
              if (typeof data7[i3] !== "string") {
                const err8 = { instancePath: instancePath + "/network/deny_bind/" + i3, schemaPath: "#/definitions/bindRule/type", keyword: "type", params: { type: "string" }, message: "must be string" };
                if (vErrors === null) {
                  vErrors = [err8];
                } else {
                  vErrors.push(err8);
                }
                errors++;
              }
            }
          } else {
            const err9 = { instancePath: instancePath + "/network/deny_bind", schemaPath: "#/properties/network/properties/deny_bind/type", keyword: "type", params: { type: "array" }, message: "must be array" };
            if (vErrors === null) {
              vErrors = [err9];
            } else {
              vErrors.push(err9);
            }
            errors++;
          }
        }
        if (data0.port_remap !== void 0) {
          if (typeof data0.port_remap !== "boolean") {
            const err10 = { instancePath: instancePath + "/network/port_remap", schemaPath: "#/properties/network/properties/port_remap/type", keyword: "type", params: { type: "boolean" }, message: "must be boolean" };
            if (vErrors === null) {
              vErrors = [err10];
            } else {
              vErrors.push(err10);
            }
            errors++;
          }
        }
        if (data0.allow_unix !== void 0) {
          let data10 = data0.allow_unix;
          if (Array.isArray(data10)) {
            const len4 = data10.length;
            for (let i4 = 0; i4 < len4; i4++) {
              if (typeof data10[i4] !== "string") {
                const err11 = { instancePath: instancePath + "/network/allow_unix/" + i4, schemaPath: "#/properties/network/properties/allow_unix/items/type", keyword: "type", params: { type: "string" }, message: "must be string" };
                if (vErrors === null) {
                  vErrors = [err11];
                } else {
                  vErrors.push(err11);
                }
                errors++;
              }
            }
          } else {
            const err12 = { instancePath: instancePath + "/network/allow_unix", schemaPath: "#/properties/network/properties/allow_unix/type", keyword: "type", params: { type: "array" }, message: "must be array" };
            if (vErrors === null) {
              vErrors = [err12];
            } else {
              vErrors.push(err12);
            }
            errors++;
          }
        }
        if (data0.allow_families !== void 0) {
          let data12 = data0.allow_families;
          if (Array.isArray(data12)) {
            const len5 = data12.length;
            for (let i5 = 0; i5 < len5; i5++) {
              let data13 = data12[i5];
              if (!(data13 === "unix" || data13 === "inet" || data13 === "inet6" || data13 === "unix/stream" || data13 === "unix/dgram" || data13 === "unix/seqpacket" || data13 === "inet/stream" || data13 === "inet/dgram" || data13 === "inet6/stream" || data13 === "inet6/dgram" || data13 === "netlink/route" || data13 === "alg" || data13 === "unix/pair")) {
                const err13 = { instancePath: instancePath + "/network/allow_families/" + i5, schemaPath: "#/properties/network/properties/allow_families/items/enum", keyword: "enum", params: { allowedValues: schema11.properties.network.properties.allow_families.items.enum }, message: "must be equal to one of the allowed values" };
                if (vErrors === null) {
                  vErrors = [err13];
                } else {
                  vErrors.push(err13);
                }
                errors++;
              }
            }
          } else {
            const err14 = { instancePath: instancePath + "/network/allow_families", schemaPath: "#/properties/network/properties/allow_families/type", keyword: "type", params: { type: "array" }, message: "must be array" };
            if (vErrors === null) {
              vErrors = [err14];
            } else {
              vErrors.push(err14);
            }
            errors++;
          }
        }
      } else {
        const err15 = { instancePath: instancePath + "/network", schemaPath: "#/properties/network/type", keyword: "type", params: { type: "object" }, message: "must be object" };
        if (vErrors === null) {
          vErrors = [err15];
        } else {
          vErrors.push(err15);
        }
        errors++;
      }
    }
    if (data.sets !== void 0) {
      let data14 = data.sets;
      if (data14 && typeof data14 == "object" && !Array.isArray(data14)) {
        for (const key2 in data14) {
          const _errs37 = errors;
          if (typeof key2 === "string") {
            if (!pattern0.test(key2)) {
              const err16 = { instancePath: instancePath + "/sets", schemaPath: "#/properties/sets/propertyNames/pattern", keyword: "pattern", params: { pattern: "^[A-Za-z0-9_-]+$" }, message: 'must match pattern "^[A-Za-z0-9_-]+$"', propertyName: key2 };
              if (vErrors === null) {
                vErrors = [err16];
              } else {
                vErrors.push(err16);
              }
              errors++;
            }
          }
          var valid18 = _errs37 === errors;
          if (!valid18) {
            const err17 = { instancePath: instancePath + "/sets", schemaPath: "#/properties/sets/propertyNames", keyword: "propertyNames", params: { propertyName: key2 }, message: "property name must be valid" };
            if (vErrors === null) {
              vErrors = [err17];
            } else {
              vErrors.push(err17);
            }
            errors++;
          }
        }
        for (const key3 in data14) {
          let data15 = data14[key3];
          const _errs40 = errors;
          let valid20 = true;
          const _errs41 = errors;
          if (!(data15 && typeof data15 == "object" && !Array.isArray(data15))) {
            const err18 = {};
            if (vErrors === null) {
              vErrors = [err18];
            } else {
              vErrors.push(err18);
            }
            errors++;
          }
          var _valid0 = _errs41 === errors;
          errors = _errs40;
          if (vErrors !== null) {
            if (_errs40) {
              vErrors.length = _errs40;
            } else {
              vErrors = null;
            }
          }
          let ifClause0;
          if (_valid0) {
            const _errs43 = errors;
            if (data15 && typeof data15 == "object" && !Array.isArray(data15)) {
              if (data15.file === void 0) {
                const err19 = { instancePath: instancePath + "/sets/" + key3.replace(/~/g, "~0").replace(/\//g, "~1"), schemaPath: "#/properties/sets/additionalProperties/then/required", keyword: "required", params: { missingProperty: "file" }, message: "must have required property 'file'" };
                if (vErrors === null) {
                  vErrors = [err19];
                } else {
                  vErrors.push(err19);
                }
                errors++;
              }
              for (const key4 in data15) {
                if (!(key4 === "file")) {
                  const err20 = { instancePath: instancePath + "/sets/" + key3.replace(/~/g, "~0").replace(/\//g, "~1"), schemaPath: "#/properties/sets/additionalProperties/then/additionalProperties", keyword: "additionalProperties", params: { additionalProperty: key4 }, message: "must NOT have additional properties" };
                  if (vErrors === null) {
                    vErrors = [err20];
                  } else {
                    vErrors.push(err20);
                  }
                  errors++;
                }
              }
              if (data15.file !== void 0) {
                if (typeof data15.file !== "string") {
                  const err21 = { instancePath: instancePath + "/sets/" + key3.replace(/~/g, "~0").replace(/\//g, "~1") + "/file", schemaPath: "#/properties/sets/additionalProperties/then/properties/file/type", keyword: "type", params: { type: "string" }, message: "must be string" };
                  if (vErrors === null) {
                    vErrors = [err21];
                  } else {
                    vErrors.push(err21);
                  }
                  errors++;
                }
              }
            }
            var _valid0 = _errs43 === errors;
            valid20 = _valid0;
            ifClause0 = "then";
          } else {
            const _errs47 = errors;
            if (Array.isArray(data15)) {
              const len6 = data15.length;
              for (let i6 = 0; i6 < len6; i6++) {
                if (typeof data15[i6] !== "string") {
                  const err22 = { instancePath: instancePath + "/sets/" + key3.replace(/~/g, "~0").replace(/\//g, "~1") + "/" + i6, schemaPath: "#/properties/sets/additionalProperties/else/items/type", keyword: "type", params: { type: "string" }, message: "must be string" };
                  if (vErrors === null) {
                    vErrors = [err22];
                  } else {
                    vErrors.push(err22);
                  }
                  errors++;
                }
              }
            } else {
              const err23 = { instancePath: instancePath + "/sets/" + key3.replace(/~/g, "~0").replace(/\//g, "~1"), schemaPath: "#/properties/sets/additionalProperties/else/type", keyword: "type", params: { type: "array" }, message: "must be array" };
              if (vErrors === null) {
                vErrors = [err23];
              } else {
                vErrors.push(err23);
              }
              errors++;
            }
            var _valid0 = _errs47 === errors;
            valid20 = _valid0;
            ifClause0 = "else";
          }
          if (!valid20) {
            const err24 = { instancePath: instancePath + "/sets/" + key3.replace(/~/g, "~0").replace(/\//g, "~1"), schemaPath: "#/properties/sets/additionalProperties/if", keyword: "if", params: { failingKeyword: ifClause0 }, message: 'must match "' + ifClause0 + '" schema' };
            if (vErrors === null) {
              vErrors = [err24];
            } else {
              vErrors.push(err24);
            }
            errors++;
          }
        }
      } else {
        const err25 = { instancePath: instancePath + "/sets", schemaPath: "#/properties/sets/type", keyword: "type", params: { type: "object" }, message: "must be object" };
        if (vErrors === null) {
          vErrors = [err25];
        } else {
          vErrors.push(err25);
        }
        errors++;
      }
    }
    if (data.dns !== void 0) {
      let data18 = data.dns;
      if (data18 && typeof data18 == "object" && !Array.isArray(data18)) {
        for (const key5 in data18) {
          if (!(key5 === "resolve" || key5 === "max_age" || key5 === "private" || key5 === "wide")) {
            const err26 = { instancePath: instancePath + "/dns", schemaPath: "#/properties/dns/additionalProperties", keyword: "additionalProperties", params: { additionalProperty: key5 }, message: "must NOT have additional properties" };
            if (vErrors === null) {
              vErrors = [err26];
            } else {
              vErrors.push(err26);
            }
            errors++;
          }
        }
        if (data18.resolve !== void 0) {
          let data19 = data18.resolve;
          if (!(data19 === "compile" || data19 === "exec" || data19 === "live")) {
            const err27 = { instancePath: instancePath + "/dns/resolve", schemaPath: "#/properties/dns/properties/resolve/enum", keyword: "enum", params: { allowedValues: schema11.properties.dns.properties.resolve.enum }, message: "must be equal to one of the allowed values" };
            if (vErrors === null) {
              vErrors = [err27];
            } else {
              vErrors.push(err27);
            }
            errors++;
          }
        }
        if (data18.max_age !== void 0) {
          if (typeof data18.max_age !== "string") {
            const err28 = { instancePath: instancePath + "/dns/max_age", schemaPath: "#/properties/dns/properties/max_age/type", keyword: "type", params: { type: "string" }, message: "must be string" };
            if (vErrors === null) {
              vErrors = [err28];
            } else {
              vErrors.push(err28);
            }
            errors++;
          }
        }
        if (data18.private !== void 0) {
          let data21 = data18.private;
          if (Array.isArray(data21)) {
            const len7 = data21.length;
            for (let i7 = 0; i7 < len7; i7++) {
              if (typeof data21[i7] !== "string") {
                const err29 = { instancePath: instancePath + "/dns/private/" + i7, schemaPath: "#/properties/dns/properties/private/items/type", keyword: "type", params: { type: "string" }, message: "must be string" };
                if (vErrors === null) {
                  vErrors = [err29];
                } else {
                  vErrors.push(err29);
                }
                errors++;
              }
            }
          } else {
            const err30 = { instancePath: instancePath + "/dns/private", schemaPath: "#/properties/dns/properties/private/type", keyword: "type", params: { type: "array" }, message: "must be array" };
            if (vErrors === null) {
              vErrors = [err30];
            } else {
              vErrors.push(err30);
            }
            errors++;
          }
        }
        if (data18.wide !== void 0) {
          let data23 = data18.wide;
          if (Array.isArray(data23)) {
            const len8 = data23.length;
            for (let i8 = 0; i8 < len8; i8++) {
              if (typeof data23[i8] !== "string") {
                const err31 = { instancePath: instancePath + "/dns/wide/" + i8, schemaPath: "#/properties/dns/properties/wide/items/type", keyword: "type", params: { type: "string" }, message: "must be string" };
                if (vErrors === null) {
                  vErrors = [err31];
                } else {
                  vErrors.push(err31);
                }
                errors++;
              }
            }
          } else {
            const err32 = { instancePath: instancePath + "/dns/wide", schemaPath: "#/properties/dns/properties/wide/type", keyword: "type", params: { type: "array" }, message: "must be array" };
            if (vErrors === null) {
              vErrors = [err32];
            } else {
              vErrors.push(err32);
            }
            errors++;
          }
        }
      } else {
        const err33 = { instancePath: instancePath + "/dns", schemaPath: "#/properties/dns/type", keyword: "type", params: { type: "object" }, message: "must be object" };
        if (vErrors === null) {
          vErrors = [err33];
        } else {
          vErrors.push(err33);
        }
        errors++;
      }
    }
    if (data.filesystem !== void 0) {
      let data25 = data.filesystem;
      if (data25 && typeof data25 == "object" && !Array.isArray(data25)) {
        for (const key6 in data25) {
          if (!(key6 === "read" || key6 === "write" || key6 === "deny")) {
            const err34 = { instancePath: instancePath + "/filesystem", schemaPath: "#/properties/filesystem/additionalProperties", keyword: "additionalProperties", params: { additionalProperty: key6 }, message: "must NOT have additional properties" };
            if (vErrors === null) {
              vErrors = [err34];
            } else {
              vErrors.push(err34);
            }
            errors++;
          }
        }
        if (data25.read !== void 0) {
          let data26 = data25.read;
          if (Array.isArray(data26)) {
            const len9 = data26.length;
            for (let i9 = 0; i9 < len9; i9++) {
              if (typeof data26[i9] !== "string") {
                const err35 = { instancePath: instancePath + "/filesystem/read/" + i9, schemaPath: "#/properties/filesystem/properties/read/items/type", keyword: "type", params: { type: "string" }, message: "must be string" };
                if (vErrors === null) {
                  vErrors = [err35];
                } else {
                  vErrors.push(err35);
                }
                errors++;
              }
            }
          } else {
            const err36 = { instancePath: instancePath + "/filesystem/read", schemaPath: "#/properties/filesystem/properties/read/type", keyword: "type", params: { type: "array" }, message: "must be array" };
            if (vErrors === null) {
              vErrors = [err36];
            } else {
              vErrors.push(err36);
            }
            errors++;
          }
        }
        if (data25.write !== void 0) {
          let data28 = data25.write;
          if (Array.isArray(data28)) {
            const len10 = data28.length;
            for (let i10 = 0; i10 < len10; i10++) {
              if (typeof data28[i10] !== "string") {
                const err37 = { instancePath: instancePath + "/filesystem/write/" + i10, schemaPath: "#/properties/filesystem/properties/write/items/type", keyword: "type", params: { type: "string" }, message: "must be string" };
                if (vErrors === null) {
                  vErrors = [err37];
                } else {
                  vErrors.push(err37);
                }
                errors++;
              }
            }
          } else {
            const err38 = { instancePath: instancePath + "/filesystem/write", schemaPath: "#/properties/filesystem/properties/write/type", keyword: "type", params: { type: "array" }, message: "must be array" };
            if (vErrors === null) {
              vErrors = [err38];
            } else {
              vErrors.push(err38);
            }
            errors++;
          }
        }
        if (data25.deny !== void 0) {
          let data30 = data25.deny;
          if (Array.isArray(data30)) {
            const len11 = data30.length;
            for (let i11 = 0; i11 < len11; i11++) {
              if (typeof data30[i11] !== "string") {
                const err39 = { instancePath: instancePath + "/filesystem/deny/" + i11, schemaPath: "#/properties/filesystem/properties/deny/items/type", keyword: "type", params: { type: "string" }, message: "must be string" };
                if (vErrors === null) {
                  vErrors = [err39];
                } else {
                  vErrors.push(err39);
                }
                errors++;
              }
            }
          } else {
            const err40 = { instancePath: instancePath + "/filesystem/deny", schemaPath: "#/properties/filesystem/properties/deny/type", keyword: "type", params: { type: "array" }, message: "must be array" };
            if (vErrors === null) {
              vErrors = [err40];
            } else {
              vErrors.push(err40);
            }
            errors++;
          }
        }
      } else {
        const err41 = { instancePath: instancePath + "/filesystem", schemaPath: "#/properties/filesystem/type", keyword: "type", params: { type: "object" }, message: "must be object" };
        if (vErrors === null) {
          vErrors = [err41];
        } else {
          vErrors.push(err41);
        }
        errors++;
      }
    }
    if (data.http !== void 0) {
      let data32 = data.http;
      if (data32 && typeof data32 == "object" && !Array.isArray(data32)) {
        for (const key7 in data32) {
          if (!(key7 === "allow" || key7 === "deny" || key7 === "ports")) {
            const err42 = { instancePath: instancePath + "/http", schemaPath: "#/properties/http/additionalProperties", keyword: "additionalProperties", params: { additionalProperty: key7 }, message: "must NOT have additional properties" };
            if (vErrors === null) {
              vErrors = [err42];
            } else {
              vErrors.push(err42);
            }
            errors++;
          }
        }
        if (data32.allow !== void 0) {
          let data33 = data32.allow;
          if (Array.isArray(data33)) {
            const len12 = data33.length;
            for (let i12 = 0; i12 < len12; i12++) {
              if (typeof data33[i12] !== "string") {
                const err43 = { instancePath: instancePath + "/http/allow/" + i12, schemaPath: "#/properties/http/properties/allow/items/type", keyword: "type", params: { type: "string" }, message: "must be string" };
                if (vErrors === null) {
                  vErrors = [err43];
                } else {
                  vErrors.push(err43);
                }
                errors++;
              }
            }
          } else {
            const err44 = { instancePath: instancePath + "/http/allow", schemaPath: "#/properties/http/properties/allow/type", keyword: "type", params: { type: "array" }, message: "must be array" };
            if (vErrors === null) {
              vErrors = [err44];
            } else {
              vErrors.push(err44);
            }
            errors++;
          }
        }
        if (data32.deny !== void 0) {
          let data35 = data32.deny;
          if (Array.isArray(data35)) {
            const len13 = data35.length;
            for (let i13 = 0; i13 < len13; i13++) {
              if (typeof data35[i13] !== "string") {
                const err45 = { instancePath: instancePath + "/http/deny/" + i13, schemaPath: "#/properties/http/properties/deny/items/type", keyword: "type", params: { type: "string" }, message: "must be string" };
                if (vErrors === null) {
                  vErrors = [err45];
                } else {
                  vErrors.push(err45);
                }
                errors++;
              }
            }
          } else {
            const err46 = { instancePath: instancePath + "/http/deny", schemaPath: "#/properties/http/properties/deny/type", keyword: "type", params: { type: "array" }, message: "must be array" };
            if (vErrors === null) {
              vErrors = [err46];
            } else {
              vErrors.push(err46);
            }
            errors++;
          }
        }
        if (data32.ports !== void 0) {
          let data37 = data32.ports;
          if (Array.isArray(data37)) {
            const len14 = data37.length;
            for (let i14 = 0; i14 < len14; i14++) {
              let data38 = data37[i14];
              if (!(typeof data38 == "number" && (!(data38 % 1) && !isNaN(data38)) && isFinite(data38))) {
                const err47 = { instancePath: instancePath + "/http/ports/" + i14, schemaPath: "#/properties/http/properties/ports/items/type", keyword: "type", params: { type: "integer" }, message: "must be integer" };
                if (vErrors === null) {
                  vErrors = [err47];
                } else {
                  vErrors.push(err47);
                }
                errors++;
              }
            }
          } else {
            const err48 = { instancePath: instancePath + "/http/ports", schemaPath: "#/properties/http/properties/ports/type", keyword: "type", params: { type: "array" }, message: "must be array" };
            if (vErrors === null) {
              vErrors = [err48];
            } else {
              vErrors.push(err48);
            }
            errors++;
          }
        }
      } else {
        const err49 = { instancePath: instancePath + "/http", schemaPath: "#/properties/http/type", keyword: "type", params: { type: "object" }, message: "must be object" };
        if (vErrors === null) {
          vErrors = [err49];
        } else {
          vErrors.push(err49);
        }
        errors++;
      }
    }
    if (data.program !== void 0) {
      let data39 = data.program;
      if (data39 && typeof data39 == "object" && !Array.isArray(data39)) {
        for (const key8 in data39) {
          if (!(key8 === "exec" || key8 === "args" || key8 === "env" || key8 === "cwd" || key8 === "clean_env" || key8 === "allow_userns")) {
            const err50 = { instancePath: instancePath + "/program", schemaPath: "#/properties/program/additionalProperties", keyword: "additionalProperties", params: { additionalProperty: key8 }, message: "must NOT have additional properties" };
            if (vErrors === null) {
              vErrors = [err50];
            } else {
              vErrors.push(err50);
            }
            errors++;
          }
        }
        if (data39.exec !== void 0) {
          if (typeof data39.exec !== "string") {
            const err51 = { instancePath: instancePath + "/program/exec", schemaPath: "#/properties/program/properties/exec/type", keyword: "type", params: { type: "string" }, message: "must be string" };
            if (vErrors === null) {
              vErrors = [err51];
            } else {
              vErrors.push(err51);
            }
            errors++;
          }
        }
        if (data39.args !== void 0) {
          let data41 = data39.args;
          if (Array.isArray(data41)) {
            const len15 = data41.length;
            for (let i15 = 0; i15 < len15; i15++) {
              if (typeof data41[i15] !== "string") {
                const err52 = { instancePath: instancePath + "/program/args/" + i15, schemaPath: "#/properties/program/properties/args/items/type", keyword: "type", params: { type: "string" }, message: "must be string" };
                if (vErrors === null) {
                  vErrors = [err52];
                } else {
                  vErrors.push(err52);
                }
                errors++;
              }
            }
          } else {
            const err53 = { instancePath: instancePath + "/program/args", schemaPath: "#/properties/program/properties/args/type", keyword: "type", params: { type: "array" }, message: "must be array" };
            if (vErrors === null) {
              vErrors = [err53];
            } else {
              vErrors.push(err53);
            }
            errors++;
          }
        }
        if (data39.env !== void 0) {
          let data43 = data39.env;
          if (data43 && typeof data43 == "object" && !Array.isArray(data43)) {
            for (const key9 in data43) {
              if (typeof data43[key9] !== "string") {
                const err54 = { instancePath: instancePath + "/program/env/" + key9.replace(/~/g, "~0").replace(/\//g, "~1"), schemaPath: "#/properties/program/properties/env/additionalProperties/type", keyword: "type", params: { type: "string" }, message: "must be string" };
                if (vErrors === null) {
                  vErrors = [err54];
                } else {
                  vErrors.push(err54);
                }
                errors++;
              }
            }
          } else {
            const err55 = { instancePath: instancePath + "/program/env", schemaPath: "#/properties/program/properties/env/type", keyword: "type", params: { type: "object" }, message: "must be object" };
            if (vErrors === null) {
              vErrors = [err55];
            } else {
              vErrors.push(err55);
            }
            errors++;
          }
        }
        if (data39.cwd !== void 0) {
          if (typeof data39.cwd !== "string") {
            const err56 = { instancePath: instancePath + "/program/cwd", schemaPath: "#/properties/program/properties/cwd/type", keyword: "type", params: { type: "string" }, message: "must be string" };
            if (vErrors === null) {
              vErrors = [err56];
            } else {
              vErrors.push(err56);
            }
            errors++;
          }
        }
        if (data39.clean_env !== void 0) {
          if (typeof data39.clean_env !== "boolean") {
            const err57 = { instancePath: instancePath + "/program/clean_env", schemaPath: "#/properties/program/properties/clean_env/type", keyword: "type", params: { type: "boolean" }, message: "must be boolean" };
            if (vErrors === null) {
              vErrors = [err57];
            } else {
              vErrors.push(err57);
            }
            errors++;
          }
        }
        if (data39.allow_userns !== void 0) {
          if (typeof data39.allow_userns !== "boolean") {
            const err58 = { instancePath: instancePath + "/program/allow_userns", schemaPath: "#/properties/program/properties/allow_userns/type", keyword: "type", params: { type: "boolean" }, message: "must be boolean" };
            if (vErrors === null) {
              vErrors = [err58];
            } else {
              vErrors.push(err58);
            }
            errors++;
          }
        }
      } else {
        const err59 = { instancePath: instancePath + "/program", schemaPath: "#/properties/program/type", keyword: "type", params: { type: "object" }, message: "must be object" };
        if (vErrors === null) {
          vErrors = [err59];
        } else {
          vErrors.push(err59);
        }
        errors++;
      }
    }
    if (data.limits !== void 0) {
      let data48 = data.limits;
      if (data48 && typeof data48 == "object" && !Array.isArray(data48)) {
        for (const key10 in data48) {
          if (!(key10 === "memory" || key10 === "processes" || key10 === "open_files")) {
            const err60 = { instancePath: instancePath + "/limits", schemaPath: "#/properties/limits/additionalProperties", keyword: "additionalProperties", params: { additionalProperty: key10 }, message: "must NOT have additional properties" };
            if (vErrors === null) {
              vErrors = [err60];
            } else {
              vErrors.push(err60);
            }
            errors++;
          }
        }
        if (data48.memory !== void 0) {
          let data49 = data48.memory;
          if (typeof data49 !== "string" && !(typeof data49 == "number" && (!(data49 % 1) && !isNaN(data49)) && isFinite(data49))) {
            const err61 = { instancePath: instancePath + "/limits/memory", schemaPath: "#/properties/limits/properties/memory/type", keyword: "type", params: { type: schema11.properties.limits.properties.memory.type }, message: "must be string,integer" };
            if (vErrors === null) {
              vErrors = [err61];
            } else {
              vErrors.push(err61);
            }
            errors++;
          }
        }
        if (data48.processes !== void 0) {
          let data50 = data48.processes;
          if (!(typeof data50 == "number" && (!(data50 % 1) && !isNaN(data50)) && isFinite(data50))) {
            const err62 = { instancePath: instancePath + "/limits/processes", schemaPath: "#/properties/limits/properties/processes/type", keyword: "type", params: { type: "integer" }, message: "must be integer" };
            if (vErrors === null) {
              vErrors = [err62];
            } else {
              vErrors.push(err62);
            }
            errors++;
          }
        }
        if (data48.open_files !== void 0) {
          let data51 = data48.open_files;
          if (!(typeof data51 == "number" && (!(data51 % 1) && !isNaN(data51)) && isFinite(data51))) {
            const err63 = { instancePath: instancePath + "/limits/open_files", schemaPath: "#/properties/limits/properties/open_files/type", keyword: "type", params: { type: "integer" }, message: "must be integer" };
            if (vErrors === null) {
              vErrors = [err63];
            } else {
              vErrors.push(err63);
            }
            errors++;
          }
        }
      } else {
        const err64 = { instancePath: instancePath + "/limits", schemaPath: "#/properties/limits/type", keyword: "type", params: { type: "object" }, message: "must be object" };
        if (vErrors === null) {
          vErrors = [err64];
        } else {
          vErrors.push(err64);
        }
        errors++;
      }
    }
  } else {
    const err65 = { instancePath, schemaPath: "#/type", keyword: "type", params: { type: "object" }, message: "must be object" };
    if (vErrors === null) {
      vErrors = [err65];
    } else {
      vErrors.push(err65);
    }
    errors++;
  }
  validate10.errors = vErrors;
  return errors === 0;
}
export {
  stdin_default as default,
  validate
};

export const KEYS = {
  "": [
    "network",
    "sets",
    "dns",
    "filesystem",
    "http",
    "program",
    "limits"
  ],
  "/network": [
    "allow",
    "deny",
    "allow_bind",
    "deny_bind",
    "port_remap",
    "allow_unix",
    "allow_families"
  ],
  "/sets/*": [
    "file"
  ],
  "/dns": [
    "resolve",
    "max_age",
    "private",
    "wide"
  ],
  "/filesystem": [
    "read",
    "write",
    "deny"
  ],
  "/http": [
    "allow",
    "deny",
    "ports"
  ],
  "/program": [
    "exec",
    "args",
    "env",
    "cwd",
    "clean_env",
    "allow_userns"
  ],
  "/limits": [
    "memory",
    "processes",
    "open_files"
  ]
};
export const UNBUILT = [
  "/network/port_remap",
  "/filesystem",
  "/filesystem/read",
  "/filesystem/write",
  "/filesystem/deny",
  "/http",
  "/http/allow",
  "/http/deny",
  "/http/ports",
  "/program/exec",
  "/program/args",
  "/program/env",
  "/program/cwd",
  "/program/clean_env",
  "/limits",
  "/limits/memory",
  "/limits/processes",
  "/limits/open_files"
];
