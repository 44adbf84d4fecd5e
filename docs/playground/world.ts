/** The fields in which the reader says what a browser can not know: addresses of names, contents of set files. */
import { element } from './dom.ts';
import { parsePins, type UsedName, type World } from './policy.ts';

/** The fields and what was typed into them. */
export interface WorldFields extends World {
  /** Shows a field for each name and file that a policy asked for. What was typed for others is kept. */
  show(names: readonly UsedName[], files: readonly string[]): void;
}

/** Fields inside the two `details`; `changed` is called after each change. */
export function createWorld(
  nameBox: HTMLElement,
  fileBox: HTMLElement,
  known: ReadonlyMap<string, string>,
  changed: () => void,
): WorldFields {
  const pins = new Map<string, string>();
  const files = new Map(known);
  const show = (
    box: HTMLElement,
    keys: readonly string[],
    make: (key: string) => HTMLElement,
  ): void => {
    const fields = box.querySelector('div');
    box.hidden = keys.length === 0;
    if (fields === null) return;
    const old = new Map(
      [...fields.children].map((field) => [field.getAttribute('data-key'), field]),
    );
    // Fields that stay are not made anew: one of them may have the focus.
    const wanted = keys.map((key) => old.get(key) ?? make(key));
    const isSame =
      wanted.length === fields.children.length &&
      wanted.every((field, index) => field === fields.children[index]);
    if (!isSame) fields.replaceChildren(...wanted);
  };
  return {
    pins,
    files,
    show(names, paths) {
      show(
        nameBox,
        names.map(({ name }) => name),
        (name) => nameField(name, pins, changed),
      );
      for (const { name, addresses, isAssumed } of names) {
        const field = nameBox.querySelector(`[data-key="${CSS.escape(name)}"]`);
        const badge = field?.querySelector('.badge');
        const input = field?.querySelector('input');
        if (input) input.placeholder = isAssumed ? `${addresses} (assumed)` : '';
        if (!badge) continue;
        const typed = parsePins(addresses);
        badge.textContent = isAssumed ? 'assumed' : typed.ok ? 'as you say' : typed.reason;
        badge.classList.toggle('typed', !isAssumed && typed.ok);
      }
      show(fileBox, paths, (path) => fileField(path, files, changed));
    },
  };
}

function nameField(name: string, pins: Map<string, string>, changed: () => void): HTMLElement {
  const input = element('input', 'mono');
  input.value = pins.get(name) ?? '';
  input.setAttribute('aria-label', `Addresses of ${name}`);
  input.spellcheck = false;
  input.addEventListener('input', () => {
    pins.set(name, input.value.trim());
    changed();
  });
  const field = element('div', 'field', element('code', '', name), input, element('span', 'badge'));
  field.dataset.key = name;
  return field;
}

function fileField(path: string, files: Map<string, string>, changed: () => void): HTMLElement {
  const area = element('textarea', '');
  area.rows = 4;
  area.value = files.get(path) ?? '';
  area.spellcheck = false;
  area.setAttribute('aria-label', `Lines of ${path}`);
  area.addEventListener('input', () => {
    files.set(path, area.value);
    changed();
  });
  const field = element('div', 'field', element('code', '', path), area);
  field.dataset.key = path;
  return field;
}
