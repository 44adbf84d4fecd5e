/**
 * The first defect of the table that is being checked: code and byte offset. `report` returns false
 * so that checks end with it.
 */

export let defectCode: u32 = 0;
export let defectOffset: u32 = 0;

export function report(code: u32, offset: u32): bool {
  defectCode = code;
  defectOffset = offset;
  return false;
}
