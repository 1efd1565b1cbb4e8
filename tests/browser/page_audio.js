// What a page hears: the share of the loudest tone near a frequency, measured by WebAudio on the remote track.
export class Ear {
  constructor() {
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
