// Writes a configuration in TOML.

/**
 * Writes tables and arrays of tables.
 *
 * @param {Record<string, any>} sections each an object, or an array of objects
 */
export function toml(sections) {
  const parts = Object.entries(sections).flatMap(([name, section]) => {
    if (section === undefined) return [];
    if (Array.isArray(section)) return section.map((each) => table(`[[${name}]]`, each));
    return [table(`[${name}]`, section)];
  });
  return parts.join('\n');
}

/**
 * @param {string} head
 * @param {Record<string, any>} members
 */
function table(head, members) {
  return `${head}\n${pairs(members)
    .map((pair) => `${pair}\n`)
    .join('')}`;
}

/** @param {Record<string, any>} members */
function pairs(members) {
  const given = Object.entries(members).filter(([, value]) => value !== undefined && value !== null);
  return given.map(([name, value]) => `${JSON.stringify(name)} = ${inline(value)}`);
}

/**
 * @param {any} value
 * @returns {string}
 */
function inline(value) {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (typeof value === 'object') return `{ ${pairs(value).join(', ')} }`;
  // A string of JSON is a string of TOML, but for DEL, which TOML wants escaped.
  return JSON.stringify(value).replace(/\x7f/g, '\\u007f');
}
