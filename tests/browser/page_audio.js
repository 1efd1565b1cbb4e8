const LOW = [697, 770, 852, 941];
const HIGH = [1209, 1336, 1477, 1633];

// What a page hears, measured by WebAudio on the remote track: the share of the loudest tone near a frequency, and the digits
// that the browser plays, of whose begin and end `note` is told.
export class Ear {
  constructor(note) {
    this.note = note;
    this.digit = '';
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.analyser.fftSize = 8192;
    this.analyser.smoothingTimeConstant = 0;
  }

  listen(track) {
    this.source?.disconnect();
    const stream = new MediaStream([track]);
    // Chromium plays a remote track into WebAudio only while an element consumes it.
    this.element = new Audio();
    this.element.srcObject = stream;
    this.element.muted = true;
    void this.element.play().catch(() => {});
    this.source = this.context.createMediaStreamSource(stream);
    this.source.connect(this.analyser);
    clearInterval(this.timer);
    this.timer = setInterval(() => this.hearDigit(), 20);
  }

  // The tone of the four that stands out, or -1.
  standsOut(frequencies, bins) {
    const levels = frequencies.map((frequency) => bins[Math.round((frequency * this.analyser.fftSize) / this.context.sampleRate)]);
    const [first, second] = [...levels].sort((left, right) => right - left);
    return first > -65 && first > second + 8 ? levels.indexOf(first) : -1;
  }

  hearDigit() {
    const bins = new Float32Array(this.analyser.frequencyBinCount);
    this.analyser.getFloatFrequencyData(bins);
    const row = this.standsOut(LOW, bins);
    const column = this.standsOut(HIGH, bins);
    const digit = row < 0 || column < 0 ? '' : '123A456B789C*0#D'[4 * row + column];
    if (digit !== this.digit) this.note('tones', { digit });
    this.digit = digit;
  }

  // Decibels by which the bin of `frequency` stands over the rest of the spectrum.
  hears(frequency) {
    const bins = new Float32Array(this.analyser.frequencyBinCount);
    this.analyser.getFloatFrequencyData(bins);
    const width = this.context.sampleRate / this.analyser.fftSize;
    const at = Math.round(frequency / width);
    const peak = Math.max(...bins.slice(at - 3, at + 4));
    const rest = [...bins.slice(20, 680)].filter((_, index) => Math.abs(index + 20 - at) > 12);
    if (peak < -70) return 0;
    return Math.max(0, peak - Math.max(...rest));
  }
}

// The two ends of a peer connection: user names of ICE, DTLS roles and fingerprints, and the state that came of them.
export function describe(connection) {
  const end = ({ sdp }) => ({
    ufrag: /^a=ice-ufrag:(\S+)/m.exec(sdp)?.[1],
    setup: /^a=setup:(\S+)/m.exec(sdp)?.[1],
    fingerprint: /^a=fingerprint:(.*\S)/m.exec(sdp)?.[1],
  });
  return { local: end(connection.localDescription), remote: end(connection.remoteDescription), state: connection.connectionState };
}

// What the browser itself counts of a peer connection.
export async function statistics(connection) {
  const reports = [...(await connection.getStats()).values()];
  const inbound = reports.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'audio');
  const transport = reports.find(({ type }) => type === 'transport');
  const pair = reports.find(({ id }) => id === transport?.selectedCandidatePairId);
  return {
    inbound,
    srtp: transport?.srtpCipher,
    local: reports.find(({ id }) => id === pair?.localCandidateId),
    remote: reports.find(({ id }) => id === pair?.remoteCandidateId),
  };
}
