// The shape of validate.gen.js, which scripts/gen-schema.mjs writes.

/** One error of ajv, https://ajv.js.org/api.html#error-objects */
export interface SchemaError {
  /** JSON pointer to the value. */
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Checks a value against policy.schema.json; leaves what is wrong in `errors`. */
export const validate: {
  (value: unknown): boolean;
  errors?: readonly SchemaError[] | null;
};

/** Key names of each table, by the table's JSON pointer; `*` stands for any name. */
export const KEYS: Readonly<Record<string, readonly string[]>>;

/** JSON pointers of the keys that the language knows and this version refuses. */
export const UNBUILT: readonly string[];
