#pragma once
#include <openssl/bio.h>
#include <openssl/ssl.h>

namespace trunkline::media {

/// What OpenSSL calls: each finds its `DtlsAssociation` and changes nothing else.
struct DtlsCallbacks {
  /// Compares the peer's certificate as soon as it is shown, so that a wrong one ends in a
  /// bad_certificate alert.
  static int verify(X509_STORE_CTX* store, void*);
  /// Retransmission timeout in microseconds (RFC 6347 §4.2.4): 200 ms, doubled up to 3 s.
  static unsigned int timeout(SSL* ssl, unsigned int previous);
  /// A BIO that keeps datagrams apart: a write is a datagram, a read takes the one being fed.
  static const BIO_METHOD* bio();

 private:
  static int write(BIO* bio, const char* data, int size);
  static int read(BIO* bio, char* data, int size);
  static long control(BIO* bio, int command, long number, void* pointer);
};

}  // namespace trunkline::media
