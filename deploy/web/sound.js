// Level meters and the ring tone, with WebAudio.

const METER_STEP = 100; // ms between two values for assistive technology
const FLOOR = -60; // dB shown as nothing

let context = null;

/** To be called from a click: browsers give sound to pages that were touched. */
export function wake() {
  try {
    context = context || new AudioContext();
    if (context.state === 'suspended') context.resume().catch(() => {});
  } catch {
    context = null; // no sound device: meters stay still, calls work
  }
}

/** Shows the level of a stream in an element until `stop()`. */
export class Meter {
  constructor(element, stream) {
    this.element = element;
    this.running = false;
    if (!context || stream.getAudioTracks().length === 0) return;
    this.source = context.createMediaStreamSource(stream);
    this.analyser = context.createAnalyser();
    this.analyser.fftSize = 1024;
    this.samples = new Float32Array(this.analyser.fftSize);
    this.source.connect(this.analyser);
    this.running = true;
    this.shown = 0;
    this.told = 0;
    this.draw();
  }

  draw() {
    if (!this.running) return;
    this.analyser.getFloatTimeDomainData(this.samples);
    let power = 0;
    for (const sample of this.samples) power += sample * sample;
    const decibels = 10 * Math.log10(power / this.samples.length + 1e-12);
    const level = Math.min(1, Math.max(0, 1 - decibels / FLOOR));
    this.shown = Math.max(level, this.shown * 0.9); // quick up, slow down
    this.show(this.shown);
    requestAnimationFrame(() => this.draw());
  }

  show(level) {
    this.element.style.setProperty('--level', level.toFixed(3));
    const now = performance.now();
    if (now - this.told < METER_STEP && level !== 0) return;
    this.told = now;
    this.element.setAttribute('aria-valuenow', String(Math.round(level * 100)));
  }

  stop() {
    if (this.source) this.source.disconnect();
    this.running = false;
    this.show(0);
  }
}

/** The ring tone of an incoming call. */
export class Ringer {
  start() {
    if (this.timer || !context) return;
    this.ring();
    this.timer = setInterval(() => this.ring(), 3000);
  }

  ring() {
    const gain = context.createGain();
    const at = context.currentTime;
    gain.gain.setValueAtTime(0, at);
    for (const offset of [0, 0.45]) {
      gain.gain.linearRampToValueAtTime(0.12, at + offset + 0.02);
      gain.gain.setValueAtTime(0.12, at + offset + 0.3);
      gain.gain.linearRampToValueAtTime(0, at + offset + 0.34);
    }
    gain.connect(context.destination);
    for (const frequency of [440, 554]) {
      const oscillator = context.createOscillator();
      oscillator.frequency.value = frequency;
      oscillator.connect(gain);
      oscillator.start(at);
      oscillator.stop(at + 0.9);
    }
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
  }
}
