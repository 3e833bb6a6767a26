// The camera, live: frames go to the service one after another, and the shutter opens when everybody smiles.

import { drawBoxes } from './boxes.js';
import { announce, byId, download, drawn, element } from './dom.js';
import { Problem } from './problems.js';
import { classify, pause } from './service.js';
import { percent, plural, summary } from './verdict.js';

/** Longest side of a frame that is sent: enough for a face three metres away, small enough for many a second. */
const sentSide = 640;

/** Side of the smallest face to look for, as a share of the frame's longer side: nobody further away is posing. */
const smallestFace = 0.06;

/** Seconds from one frame to the next, at least. */
const pace = 0.08;

/** How many looks in a row must find everyone smiling. */
const certain = 2;

export class Camera {
  #video = byId('video');
  #frame = byId('live-frame');
  #svg = drawn('svg', { class: 'boxes', 'aria-hidden': 'true' });
  #full = element('canvas');
  #sent = element('canvas');
  #stream = null;
  #work = null;
  #verdict = null;
  #shown = 0;
  #armed = false;
  #looks = 0;
  #attempt = 0;

  constructor(settings, onKeep) {
    this.settings = settings;
    this.onKeep = onKeep;
    this.#video.after(this.#svg);
    byId('camera-start').addEventListener('click', () => this.start());
    byId('camera-stop').addEventListener('click', () => this.stop());
    byId('shutter-now').addEventListener('click', () => this.#take());
    byId('shutter-auto').addEventListener('click', () => this.#arm(!this.#armed));
    byId('device').addEventListener('change', (event) => this.start(event.target.value));
    new ResizeObserver(() => this.#draw()).observe(this.#frame);
  }

  async start(deviceId = null) {
    this.stop();
    const attempt = this.#attempt;
    if (!navigator.mediaDevices?.getUserMedia) {
      this.#say('Browsers give a page the camera only over HTTPS or from localhost. Open this page at such an address.', true);
      return;
    }

    this.#say('Waiting for the camera…');
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { width: { ideal: 1280 }, height: { ideal: 720 }, ...(deviceId ? { deviceId: { exact: deviceId } } : { facingMode: 'user' }) },
      });
    } catch (failure) {
      if (attempt !== this.#attempt) {
        return;
      }

      this.#say({
        NotAllowedError: 'The browser was not allowed to use the camera. Allow it beside the address, and start again.',
        NotFoundError: 'There is no camera on this device.',
        NotReadableError: 'Another program has the camera. Close it, and start again.',
      }[failure.name] ?? `The camera does not start: ${failure.message}`, true);
      return;
    }

    // Whoever has gone on while the browser asked wants no camera any more, or has started it again.
    if (attempt !== this.#attempt) {
      stream.getTracks().forEach((track) => track.stop());
      return;
    }

    this.#stream = stream;
    this.#video.srcObject = stream;
    try {
      await this.#video.play();
    } catch (failure) {
      if (attempt === this.#attempt) {
        this.stop(`The camera does not start: ${failure.message}`);
      }
    }

    if (attempt !== this.#attempt) {
      return; // Stopped before it began.
    }

    const [track] = stream.getVideoTracks();
    track.addEventListener('ended', () => this.stop('The camera has gone.'));
    this.#frame.classList.add('on');
    this.#frame.classList.toggle('mirrored', track.getSettings().facingMode !== 'environment');
    this.#frame.style.setProperty('--wide', this.#video.videoWidth);
    this.#frame.style.setProperty('--high', this.#video.videoHeight);
    this.#enable(true);
    await this.#listDevices(track);
    if (attempt !== this.#attempt) {
      return;
    }

    this.#say('');
    byId('shutter-auto').focus();
    this.#watch();
  }

  stop(message = '') {
    this.#attempt++;
    this.#work?.abort();
    this.#work = null;
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.#video.srcObject = null;
    this.#frame.classList.remove('on');
    this.#arm(false);
    this.#enable(false);
    this.#verdict = null;
    this.#shown = 0;
    this.#draw();
    this.#meter();
    this.#say(message, Boolean(message));
  }

  /** After the threshold has changed. */
  update() {
    this.#draw();
    this.#meter();
  }

  async #watch() {
    const work = new AbortController();
    this.#work = work;
    while (!work.signal.aborted) {
      try {
        await Promise.all([this.#look(work.signal), pause(pace, work.signal)]);
        this.#say('');
      } catch (failure) {
        if (work.signal.aborted) {
          return;
        }

        if (!(failure instanceof Problem)) {
          throw failure;
        }

        this.#looks = 0;
        if (failure.status === 401) {
          this.stop(`${failure.title} ${failure.advice}`);
          return;
        }

        const wait = failure.retryAfter ?? 2;
        this.#say(`${failure.title} ${failure.passes ? '' : failure.advice} Next look in ${plural(wait, 'second')}.`, true);
        await pause(wait, work.signal).catch(() => {});
      }
    }
  }

  /** One frame: seen, sent, judged, drawn. */
  async #look(aborted) {
    const { videoWidth, videoHeight } = this.#video;
    if (document.hidden || videoWidth === 0) {
      return;
    }

    const scale = Math.min(1, sentSide / Math.max(videoWidth, videoHeight));
    paint(this.#full, this.#video, videoWidth, videoHeight);
    paint(this.#sent, this.#full, Math.round(videoWidth * scale), Math.round(videoHeight * scale));
    const jpeg = await new Promise((resolve) => this.#sent.toBlob(resolve, 'image/jpeg', 0.85));
    const minFace = Math.max(1, Math.round(smallestFace * Math.max(this.#sent.width, this.#sent.height)));
    const verdict = await classify(jpeg, { minFace, limit: 50 }, aborted);
    aborted.throwIfAborted();

    this.#verdict = verdict;
    this.#draw();
    this.#meter();
    this.#looks = this.#everyoneSmiles() ? this.#looks + 1 : 0;
    if (this.#armed && this.#looks >= certain) {
      this.#take();
    }
  }

  #everyoneSmiles() {
    const faces = this.#verdict?.faces ?? [];
    const wanted = Math.max(1, Number(byId('people').value) || 1);
    return faces.length >= wanted && faces.every((face) => face.probability >= this.settings.threshold);
  }

  #arm(armed) {
    this.#armed = armed;
    this.#looks = 0;
    this.#frame.classList.toggle('armed', armed);
    const button = byId('shutter-auto');
    button.setAttribute('aria-pressed', armed);
    button.textContent = armed ? 'Waiting for everyone to smile…' : 'Take the picture when everyone smiles';
  }

  /** Keeps the frame that was judged last, at the camera's full size: the smile that was seen, not what came after it. */
  async #take() {
    this.#arm(false);
    if (this.#full.width === 0 || !this.#stream) {
      return;
    }

    const at = new Date();
    const words = this.#verdict ? summary(this.#verdict, this.settings.threshold) : '';
    const canvas = element('canvas');
    paint(canvas, this.#full, this.#full.width, this.#full.height);
    byId('flash').classList.remove('now');
    void byId('flash').offsetWidth;
    byId('flash').classList.add('now');
    const jpeg = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.95));
    const stamp = new Date(at - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replaceAll(':', '-').replace('T', '-at-');
    this.#keep(new File([jpeg], `smile-${stamp}.jpg`, { type: 'image/jpeg' }), words);
    announce(`Picture taken. ${words}`);
  }

  #keep(file, words) {
    const url = URL.createObjectURL(file);
    const tile = element('li', { className: 'tile taken-tile' },
      element('img', { src: url, alt: `Taken: ${words}` }),
      element('p', {}, words),
      element('p', { className: 'row' },
        element('button', { type: 'button', className: 'primary', onclick: () => download(file, file.name) }, 'Download'),
        element('button', { type: 'button', onclick: () => this.onKeep(file) }, 'To the pictures'),
        element('button', {
          type: 'button',
          onclick: () => {
            tile.remove();
            URL.revokeObjectURL(url);
            byId('taken').hidden = byId('taken-tiles').childElementCount === 0;
          },
        }, 'Discard')));
    byId('taken-tiles').prepend(tile);
    byId('taken').hidden = false;
  }

  #meter() {
    const faces = this.#verdict?.faces ?? [];
    const least = faces.length > 0 ? Math.min(...faces.map((face) => face.probability)) : 0;

    // Eased, or it would tremble; the shutter goes by the looks themselves.
    this.#shown = faces.length > 0 ? this.#shown + (least - this.#shown) * 0.6 : 0;
    const meter = byId('meter');
    const value = Math.round(this.#shown * 100);
    meter.setAttribute('aria-valuenow', value);
    meter.setAttribute('aria-valuetext', faces.length > 0 ? `${value} %` : 'nobody to be seen');
    meter.style.setProperty('--value', this.#shown);
    meter.style.setProperty('--mark', this.settings.threshold);
    byId('meter-value').textContent = faces.length > 0 ? percent(value / 100) : '–';
    byId('meter-note').textContent = faces.length > 0
      ? summary(this.#verdict, this.settings.threshold) + (faces.length > 1 ? '; the meter shows whoever smiles least' : '')
      : this.#stream ? 'No face to be seen' : 'Nobody to be seen yet';
    byId('meter-mouth').setAttribute('d', `M18 ${42 - 4 * this.#shown} Q32 ${42 + 16 * this.#shown} 46 ${42 - 4 * this.#shown}`);
    byId('meter-face').classList.toggle('smiles', faces.length > 0 && least >= this.settings.threshold);
  }

  #draw() {
    if (this.#verdict) {
      drawBoxes(this.#svg, this.#verdict.faces, this.#verdict.image, this.settings.threshold, { mirrored: this.#frame.classList.contains('mirrored') });
    } else {
      this.#svg.replaceChildren();
    }
  }

  async #listDevices(track) {
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === 'videoinput');
    byId('device-label').hidden = cameras.length < 2;
    byId('device').replaceChildren(...cameras.map((camera, index) => element('option', { value: camera.deviceId }, camera.label || `Camera ${index + 1}`)));
    byId('device').value = track.getSettings().deviceId;
  }

  #enable(on) {
    for (const id of ['shutter-auto', 'shutter-now', 'camera-stop']) {
      byId(id).disabled = !on;
    }
  }

  #say(text, wrong = false) {
    const message = byId('live-message');
    if (message.textContent !== text) {
      message.textContent = text;
    }

    message.classList.toggle('wrong', wrong);
  }
}

function paint(canvas, source, width, height) {
  Object.assign(canvas, { width, height });
  canvas.getContext('2d').drawImage(source, 0, 0, width, height);
}
