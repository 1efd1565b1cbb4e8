// Stands before OpenSSL (LD_PRELOAD): whatever profiles of DTLS-SRTP a program asks for, it gets
// AES_CM alone, which no browser can be made to offer by itself.
#include <dlfcn.h>

extern "C" int SSL_CTX_set_tlsext_use_srtp(void* context, const char*) {
  using Set = int (*)(void*, const char*);
  const auto next = reinterpret_cast<Set>(dlsym(RTLD_NEXT, "SSL_CTX_set_tlsext_use_srtp"));
  return next(context, "SRTP_AES128_CM_SHA1_80");
}
