// The little that this page needs to make elements.

/** An element with properties and children. Text is text, never markup. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [property, value] of Object.entries(properties)) {
    if (property.includes('-') || property === 'role' || property === 'for') {
      made.setAttribute(property, value);
    } else {
      made[property] = value;
    }
  }

  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** An SVG element with attributes and children. */
export function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [attribute, value] of Object.entries(attributes)) {
    made.setAttribute(attribute, value);
  }

  made.append(...children);
  return made;
}

export const byId = (id) => document.getElementById(id);

/** Says something to those who listen instead of look. */
export function announce(text) {
  byId('announcer').textContent = text;
}

/** Hands a file to the browser's downloads. */
export function download(blob, name) {
  const href = URL.createObjectURL(blob);
  element('a', { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/** Arrow keys, Home and End among tabs; one is selected at a time. */
export function tabs(list, onSelect) {
  const all = [...list.querySelectorAll('[role=tab]')];
  const select = (tab, focus = false) => {
    for (const each of all) {
      const selected = each === tab;
      each.setAttribute('aria-selected', selected);
      each.tabIndex = selected ? 0 : -1;
    }

    if (focus) {
      tab.focus();
    }

    onSelect(tab);
  };
  list.addEventListener('click', (event) => {
    const tab = event.target.closest('[role=tab]');
    if (tab) {
      select(tab);
    }
  });
  list.addEventListener('keydown', (event) => {
    const at = all.indexOf(event.target);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at >= 0 && to !== undefined) {
      event.preventDefault();
      select(all[(to + all.length) % all.length], true);
    }
  });
  return select;
}
