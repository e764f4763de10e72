// Skills, and whether they are in their work hours.

/** A skill. The conversations of a connection share its skills. */
export class Skill {
  /** @param {{ skillId: string }} members */
  constructor({ skillId }) {
    this.skillId = skillId;
    /** Whether the skill is in its work hours; null until a shift status was read. */
    this.onShift = /** @type {boolean | null} */ (null);
    /** When the next work hours begin. */
    this.nextOn = /** @type {number | null} */ (null);
    /** When the work hours end. */
    this.nextOff = /** @type {number | null} */ (null);
  }

  /** Whether the skill is outside its work hours and has coming ones. */
  isInOffHours() {
    return this.onShift === false && Boolean(this.nextOn);
  }
}
