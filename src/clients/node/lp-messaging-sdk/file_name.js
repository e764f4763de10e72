// The name of a file whose content is all that is known of it.

/** How a file of each type begins. */
const BEGINNINGS = /** @type {const} */ ([
  ['jpg', [0xff, 0xd8, 0xff]],
  ['png', [0x89, 0x50, 0x4e, 0x47]],
  ['gif', [0x47, 0x49, 0x46, 0x38]],
  ['pdf', [0x25, 0x50, 0x44, 0x46]],
]);

/** The beginning of a ZIP archive, and the folder that each kind of office document has in it. */
const ARCHIVE = [0x50, 0x4b, 0x03, 0x04];
const FOLDERS = /** @type {const} */ ([
  ['docx', 'word/'],
  ['pptx', 'ppt/'],
  ['xlsx', 'xl/'],
]);

/**
 * Names a file after its type.
 *
 * @param {ArrayBuffer | Uint8Array} content
 * @returns {string} such as `file.png`
 * @throws {TypeError} the content is not bytes, or of no type that the platform takes
 */
export function fileName(content) {
  if (!(content instanceof ArrayBuffer) && !ArrayBuffer.isView(content))
    throw new TypeError('a file must be an ArrayBuffer');
  const bytes = content instanceof ArrayBuffer ? new Uint8Array(content) : content;
  const type = BEGINNINGS.find(([, beginning]) => begins(bytes, beginning))?.[0] ?? document(bytes);
  if (type === undefined) throw new TypeError('the file is not of the type JPG, PNG, GIF, PDF, DOCX, PPTX or XLSX');
  return `file.${type}`;
}

/** @param {Uint8Array} bytes */
function document(bytes) {
  if (!begins(bytes, ARCHIVE)) return undefined;
  const text = new TextDecoder('latin1').decode(bytes);
  return FOLDERS.find(([, folder]) => text.includes(folder))?.[0];
}

/** @param {Uint8Array} bytes @param {readonly number[]} beginning */
function begins(bytes, beginning) {
  return beginning.every((byte, place) => bytes[place] === byte);
}
