// Certificates made by openssl, in a folder of the test's own.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
// Of a day so many days from now, as openssl writes it.
const day = (days) => `${new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`;

export class Certificates {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'trunkline-tls-'));
    process.once('exit', () => this.remove());
  }

  path(name) {
    return join(this.folder, name);
  }

  read(name) {
    return readFileSync(this.path(name));
  }

  copy(from, to) {
    copyFileSync(this.path(from), this.path(to));
  }

  // NAME.pem and NAME.key of an authority.
  authority(name) {
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`,
      '-addext', 'keyUsage=critical,keyCertSign,cRLSign', '-keyout', this.path(`${name}.key`), '-out', this.path(`${name}.pem`));
    return this;
  }

  // NAME.pem and NAME.key, vouched for by an authority. `names`: "DNS:a.test,URI:sip:a.test,IP:127.0.0.1"; valid from `begin`
  // to `end`, in days from now.
  issue(name, names, { by = 'ca', begin = -1, end = 2 } = {}) {
    const request = this.path(`${name}.csr`);
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`,
      '-keyout', this.path(`${name}.key`), '-out', request);
    const settings = this.path(`${name}.cnf`);
    writeFileSync(this.path(`${name}.db`), '');
    writeFileSync(settings, `
[ca]
default_ca = one
[one]
new_certs_dir = ${this.folder}
database = ${this.path(`${name}.db`)}
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
basicConstraints = CA:FALSE
subjectAltName = ${names}
`);
    openssl('ca', '-batch', '-config', settings, '-cert', this.path(`${by}.pem`), '-keyfile', this.path(`${by}.key`),
      '-startdate', day(begin), '-enddate', day(end), '-notext', '-in', request, '-out', this.path(`${name}.pem`));
    return this;
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
