// Errors of this package. Each has a stable `code`.

/** An error of this package. `code` is a stable word; `message` is for people. */
export class TertuliaError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{ cause?: unknown, key?: string }} [details]
   */
  constructor(code, message, { cause, key } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    /** A stable word for the kind of error. */
    this.code = code;
    /** The idempotency key of the request, if it had one: the request can be repeated with this key. */
    this.key = key;
  }

  /** Whether the request may have had its effect. */
  get isOutcomeUnknown() {
    return false;
  }
}

/** The gateway refused the request or could not carry it out (RFC 9457). `code` is the gateway's own code. */
export class ProblemError extends TertuliaError {
  /**
   * @param {number} status
   * @param {{ code?: string, title?: string, detail?: string } & Record<string, unknown>} problem
   * @param {{ key?: string, requestId?: string, retryAfter?: number }} [details] `retryAfter` is in milliseconds
   */
  constructor(status, problem, { key, requestId, retryAfter } = {}) {
    const code = problem.code ?? `http-${status}`;
    const detail = problem.detail ?? problem.title ?? '';
    super(code, detail === '' ? code : `${code}: ${detail}`, { key });
    /** The HTTP status. */
    this.status = status;
    /** What happened, in the gateway's words. */
    this.detail = detail;
    /** The whole body of the answer, with the additional members that some errors have. */
    this.problem = problem;
    /** The platform's own code, if the platform refused the request. */
    this.platformCode = /** @type {string | number | undefined} */ (problem.platformCode);
    /** The platform's own text, if the platform refused the request. */
    this.platformText = /** @type {string | undefined} */ (problem.platformText);
    /** The id of the request in the gateway's log. */
    this.requestId = requestId;
    /** How long the gateway wants callers to wait, in milliseconds. */
    this.retryAfter = retryAfter;
  }

  get isOutcomeUnknown() {
    return this.code === 'outcome-unknown';
  }
}

/** No answer came: the gateway cannot be reached, or the answer was lost. `cause` is the error of `fetch`. */
export class UnreachableError extends TertuliaError {
  /**
   * @param {string} message
   * @param {{ cause?: unknown, key?: string }} [details]
   */
  constructor(message, details) {
    super('unreachable', message, details);
  }

  get isOutcomeUnknown() {
    return true;
  }
}

/** The request did not end within its time limit. `cause` is the error of the last attempt, if there was one. */
export class TimeoutError extends TertuliaError {
  /**
   * @param {string} message
   * @param {{ cause?: unknown, key?: string }} [details]
   */
  constructor(message, details) {
    super('timeout', message, details);
  }

  get isOutcomeUnknown() {
    return true;
  }
}
