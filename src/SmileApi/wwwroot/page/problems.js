// What the service's problems (docs/problems.md) mean to somebody who looks at this page.

/** The service's own sentence says what is wrong; this says what to do here. By the last part of the problem's type. */
export const advice = {
  'empty-upload': 'The file is empty. Choose another one.',
  'malformed-request': 'The picture was garbled on its way. Try again.',
  'invalid-parameter': 'Look at the options above: one of them does not suit this picture.',
  'unauthorized': 'This service wants an API key. Ask whoever runs it for one, and enter it under "Key" at the top.',
  'not-found': 'The page and the service do not fit each other. Load the page again.',
  'method-not-allowed': 'The page and the service do not fit each other. Load the page again.',
  'request-timeout': 'The upload was too slow. Try again on a better connection, or with a smaller picture.',
  'upload-too-large': 'Save the picture smaller, or more compressed, and try again.',
  'unsupported-format': 'Save it as JPEG, PNG or WebP, and try again.',
  'picture-too-large': 'Save the picture with fewer pixels and try again.',
  'picture-truncated': 'The end of the file is missing. Copy or download it once more.',
  'picture-corrupt': 'Open the picture in another program and save it anew.',
  'picture-too-slow': 'Open the picture in another program and save it as an ordinary JPEG.',
  'unsupported-variant': 'Open the picture in another program and save it as an ordinary JPEG or PNG.',
  'no-explanation': 'The network that is served gives probabilities only. Whoever runs the service can serve one that explains.',
  'batch-too-long': 'Send fewer pictures at a time.',
  'unsupported-media-type': 'The page and the service do not fit each other. Load the page again.',
  'rate-limited': 'You have asked as often as you may for now. The page waits and goes on by itself.',
  'internal-error': 'This is the service\'s fault. Try again; if it stays so, tell whoever runs it the number below.',
  'inference-failed': 'This is the service\'s fault. Try again; if it stays so, tell whoever runs it the number below.',
  'inference-timeout': 'Try again in a moment.',
  'overloaded': 'Many are asking at once. The page waits and goes on by itself.',
  'not-ready': 'The service is starting, stopping or out of order. Try again in a moment.',
  'deadline-exceeded': 'The service had too much to do. Try again in a moment.',
  'http-error': 'Something refused the request before the service saw it. Try again.',
  'unreachable': 'Is the service running, and this device online? A file far above the size limit can break the connection, too.',
};

const waits = new Set(['rate-limited', 'overloaded', 'inference-timeout', 'not-ready']);

/** An error of the service, or of the way to it. */
export class Problem extends Error {
  constructor({ type, title, status, detail, requestId = null }, retryAfter = null) {
    super(detail);
    this.type = type;
    this.title = title;
    this.status = status;
    this.detail = detail;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }

  get name() {
    return this.type.split(':').at(-1);
  }

  /** What to do, in one or two sentences. */
  get advice() {
    if (this.name === 'unsupported-format' && this.detail.includes('HEIC')) {
      return 'Save it as JPEG, PNG or WebP. An iPhone takes JPEG with Settings, Camera, Formats, "Most Compatible".';
    }

    return advice[this.name] ?? 'Try again; if it stays so, tell whoever runs the service.';
  }

  /** Whether it goes away when one waits. */
  get passes() {
    return waits.has(this.name);
  }

  get document() {
    const { type, title, status, detail, requestId } = this;
    return { type, title, status, detail, requestId };
  }

  /** The problem of an answer that is none of the good ones. */
  static async of(response) {
    const seconds = Number.parseInt(response.headers.get('Retry-After'), 10);
    const retryAfter = Number.isFinite(seconds) ? seconds : null;
    try {
      const document = await response.json();
      if (typeof document.type === 'string' && typeof document.detail === 'string') {
        return new Problem(document, retryAfter);
      }
    } catch {
      // Not the service, but something in between, which speaks HTML.
    }

    const name = { 401: 'unauthorized', 404: 'not-found', 413: 'upload-too-large', 429: 'rate-limited', 503: 'overloaded', 504: 'deadline-exceeded' }[response.status] ?? 'http-error';
    return new Problem({
      type: `urn:smileapi:problem:${name}`,
      title: 'The request was refused on its way.',
      status: response.status,
      detail: `Something between this page and the service answered with HTTP ${response.status}.`,
    }, retryAfter);
  }

  static unreachable() {
    return new Problem({
      type: 'urn:smileapi:problem:unreachable',
      title: 'The service cannot be reached.',
      status: 0,
      detail: 'The connection failed before there was an answer.',
    });
  }
}
