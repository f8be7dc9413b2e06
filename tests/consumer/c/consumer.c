/* usage: consumer FOLDER. The life of one record in C99, with an installed Quietus. */
#include <quietus/quietus.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct certificate {
  char text[65536];
  size_t size;
};

static void must(int answer, int wanted, const char* what) {
  if (answer == wanted) return;
  fprintf(stderr, "%s: %s, not %s: %s\n", what, quietus_code_name(answer),
          quietus_code_name(wanted), quietus_last_error());
  exit(1);
}

static int keep(void* context, const quietus_erasure* erasure) {
  struct certificate* const kept = context;
  if (erasure->certificate_size > sizeof kept->text) return 1;
  memcpy(kept->text, erasure->certificate, erasure->certificate_size);
  kept->size = erasure->certificate_size;
  return 0;
}

static int look(void* context, const quietus_verified* verified) {
  *(int*)context = verified->scope_count == 1 && strcmp(verified->reason, "contract-ended") == 0;
  return 0;
}

int main(int count, char** arguments) {
  static struct certificate certificate;
  static const char* const scopes[] = {"acme"};
  quietus_create_options options = {sizeof options, NULL, 0, 1};
  quietus_unlock unlock = {sizeof unlock, NULL, NULL};
  quietus_vault vault = NULL;
  quietus_scope scope = NULL;
  char folder[4096], key[4096], roots[4096], read[16], pem[1024];
  size_t size = 0;
  int right = 0;

  if (count != 2) return 2;
  snprintf(folder, sizeof folder, "%s/vault", arguments[1]);
  snprintf(key, sizeof key, "%s/key", arguments[1]);
  snprintf(roots, sizeof roots, "%s/roots", arguments[1]);
  unlock.key_file = key;
  options.root_folder = roots;

  must(quietus_new_key_file(key), QUIETUS_OK, "key file");
  must(quietus_create(folder, &unlock, &options, &vault), QUIETUS_OK, "create");
  must(quietus_create_scope(vault, "acme", NULL, &scope), QUIETUS_OK, "create scope");
  must(quietus_put(scope, "greeting", "hello", 5, NULL, NULL), QUIETUS_OK, "put");
  must(quietus_get(scope, "greeting", read, sizeof read, &size), QUIETUS_OK, "get");
  if (size != 5 || memcmp(read, "hello", 5) != 0) must(QUIETUS_ECORRUPT, QUIETUS_OK, "content");

  must(quietus_erase(vault, scopes, 1, "contract-ended", keep, &certificate), QUIETUS_OK, "erase");
  must(quietus_get(scope, "greeting", read, sizeof read, &size), QUIETUS_EERASED, "get erased");
  must(quietus_issuing_key_pem(vault, pem, sizeof pem, &size), QUIETUS_OK, "issuing key");
  must(quietus_close_scope(scope), QUIETUS_OK, "close scope");
  must(quietus_close(vault), QUIETUS_OK, "close");

  must(quietus_verify_certificate(certificate.text, certificate.size, pem, look, &right),
       QUIETUS_OK, "verify");
  certificate.text[certificate.size / 2] ^= 1;
  if (quietus_verify_certificate(certificate.text, certificate.size, pem, NULL, NULL) == QUIETUS_OK)
    right = 0;
  if (!right) must(QUIETUS_EUNVERIFIED, QUIETUS_OK, "what the certificate says");
  printf("done with %s\n", quietus_version());
  return 0;
}
