/* Handles that are none: NULL, closed, of another kind, made up. Each goes to every function that
 * takes one of its kind, with arguments that would otherwise do. */
#include "capi.h"

#include <stdint.h>
#include <string.h>

static const char* const acme[] = {"acme"};
static const char* const no_id = "00000000000000000000000000000000";
static char bytes[64];
static size_t size_out;

static int no_scope(void* context, const quietus_scope_info* info) {
  (void)context, (void)info;
  return 0;
}
static int no_record(void* context, const quietus_record_info* info) {
  (void)context, (void)info;
  return 0;
}
static int no_bytes(void* context, const uint8_t* data, size_t size) {
  (void)context, (void)data, (void)size;
  return 0;
}
static int no_source(void* context, uint8_t* data, size_t capacity, size_t* size) {
  (void)context, (void)data, (void)capacity;
  *size = 0;
  return 0;
}
static int no_certificate(void* context, const char* id, const char* status, int64_t issued) {
  (void)context, (void)id, (void)status, (void)issued;
  return 0;
}

void use_vault(quietus_vault vault, int wanted) {
  quietus_status_info status = {.size = sizeof status};
  quietus_check_report check = {.size = sizeof check};
  quietus_sweep_report sweep = {.size = sizeof sweep};
  quietus_scope scope = (quietus_scope)(uintptr_t)1;
  char id[33];
  if (vault != NULL && wanted == QUIETUS_EINVALID) EXPECT(wanted, quietus_close(vault));
  EXPECT(wanted, quietus_status(vault, &status));
  EXPECT(wanted, quietus_check(vault, NULL, NULL, &check));
  EXPECT(wanted, quietus_create_scope(vault, "other", NULL, &scope));
  EXPECT_TRUE(scope == NULL); /* what closes it later does no harm */
  EXPECT(wanted, quietus_open_scope(vault, "acme", &scope));
  EXPECT(wanted, quietus_open_restricted(vault, "acme", "consent", &scope));
  EXPECT(wanted, quietus_describe(vault, "acme", no_scope, NULL));
  EXPECT(wanted, quietus_children(vault, "", no_scope, NULL));
  EXPECT(wanted, quietus_erase(vault, acme, 1, "other", NULL, NULL));
  EXPECT(wanted, quietus_resume(vault, NULL, NULL));
  EXPECT(wanted, quietus_schedule_erasure(vault, acme, 1, "other", NULL, NULL));
  EXPECT(wanted, quietus_cancel_erasure(vault, acme, 1));
  EXPECT(wanted, quietus_apply_policy(vault, "version = 1\n"));
  EXPECT(wanted, quietus_terminate(vault, "acme", 1));
  EXPECT(wanted, quietus_cancel_termination(vault, "acme"));
  EXPECT(wanted, quietus_withdraw_consent(vault, "acme", 1));
  EXPECT(wanted, quietus_sweep(vault, NULL, &sweep, NULL, NULL));
  EXPECT(wanted, quietus_suspend(vault, "acme", "other"));
  EXPECT(wanted, quietus_unsuspend(vault, "acme", "other"));
  EXPECT(wanted, quietus_deactivate(vault, "acme", "other"));
  EXPECT(wanted, quietus_rotate(vault, "acme", "other"));
  EXPECT(wanted, quietus_purge(vault, "acme", "other"));
  EXPECT(wanted, quietus_place_hold(vault, "acme", "other", NULL, 0, id));
  EXPECT(wanted, quietus_release_hold(vault, "0"));
  EXPECT(wanted, quietus_certificates(vault, no_certificate, NULL));
  EXPECT(wanted, quietus_certificate(vault, no_id, bytes, sizeof bytes, &size_out));
  EXPECT(wanted, quietus_certificate_of(vault, "0", bytes, sizeof bytes, &size_out));
  EXPECT(wanted, quietus_issuing_key_pem(vault, bytes, sizeof bytes, &size_out));
}

void use_scope(quietus_scope scope, quietus_batch batch, int wanted) {
  uint64_t id = 0;
  uint8_t pseudonym[16];
  if (wanted == QUIETUS_EINVALID) {
    if (scope != NULL) EXPECT(wanted, quietus_close_scope(scope));
    EXPECT(wanted, quietus_scope_id(scope, &id));
    EXPECT(wanted, quietus_unseal(scope, "x", 1, bytes, sizeof bytes, &size_out));
  }
  EXPECT(wanted, quietus_put(scope, "x", "x", 1, NULL, NULL));
  EXPECT(wanted, quietus_put_stream(scope, "x", no_source, NULL, NULL, NULL));
  EXPECT(wanted, quietus_get(scope, "greeting", bytes, sizeof bytes, &size_out));
  EXPECT(wanted, quietus_get_view(scope, "greeting", no_bytes, NULL));
  EXPECT(wanted, quietus_get_stream(scope, "greeting", no_bytes, NULL));
  EXPECT(wanted, quietus_stat(scope, "greeting", no_record, NULL));
  EXPECT(wanted, quietus_remove(scope, "greeting", NULL));
  EXPECT(wanted, quietus_list(scope, "", no_record, NULL));
  EXPECT(wanted, quietus_write(scope, batch));
  EXPECT(wanted, quietus_seal(scope, "x", 1, bytes, sizeof bytes, &size_out));
  EXPECT(wanted, quietus_pseudonym(scope, "x", 1, pseudonym));
}

static void as_batch(quietus_batch batch, quietus_scope scope) {
  if (batch != NULL) EXPECT(QUIETUS_EINVALID, quietus_close_batch(batch));
  EXPECT(QUIETUS_EINVALID, quietus_batch_put(batch, "x", "x", 1, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_batch_remove(batch, "x"));
  EXPECT(QUIETUS_EINVALID, quietus_write(scope, batch));
}

void test_handles(Fixture* fixture) {
  quietus_scope closed_scope = NULL, again = NULL;
  quietus_batch batch = NULL, closed_batch = NULL;
  EXPECT(QUIETUS_OK, quietus_open_scope(fixture->vault, "acme", &closed_scope));
  EXPECT(QUIETUS_OK, quietus_close_scope(closed_scope));
  EXPECT(QUIETUS_OK, quietus_new_batch(&batch));
  EXPECT(QUIETUS_OK, quietus_new_batch(&closed_batch));
  EXPECT(QUIETUS_OK, quietus_close_batch(closed_batch));

  /* Closing nothing is fine, closing twice is not, and what is opened later is another one. */
  EXPECT(QUIETUS_OK, quietus_close(NULL));
  EXPECT(QUIETUS_OK, quietus_close_scope(NULL));
  EXPECT(QUIETUS_OK, quietus_close_batch(NULL));
  EXPECT(QUIETUS_EINVALID, quietus_close_scope(closed_scope));
  EXPECT(QUIETUS_OK, quietus_open_scope(fixture->vault, "acme", &again));
  EXPECT_TRUE(again != closed_scope);
  EXPECT(QUIETUS_EINVALID, quietus_close_scope(closed_scope));
  EXPECT(QUIETUS_OK, quietus_close_scope(again));

  char memory[256];
  memset(memory, 0x41, sizeof memory);
  const uintptr_t made_up[] = {0,
                               1,
                               2,
                               0x4141,
                               UINTPTR_MAX,
                               UINTPTR_MAX / 2,
                               (uintptr_t)memory,
                               (uintptr_t) "text",
                               (uintptr_t)&use_vault,
                               (uintptr_t)batch + 99,
                               (uintptr_t)fixture};
  for (size_t i = 0; i < sizeof made_up / sizeof *made_up; ++i) {
    use_vault((quietus_vault)made_up[i], QUIETUS_EINVALID);
    use_scope((quietus_scope)made_up[i], batch, QUIETUS_EINVALID);
    as_batch((quietus_batch)made_up[i], fixture->scope);
  }
  const uintptr_t not_vaults[] = {(uintptr_t)fixture->scope, (uintptr_t)batch,
                                  (uintptr_t)closed_scope, (uintptr_t)closed_batch};
  const uintptr_t not_scopes[] = {(uintptr_t)fixture->vault, (uintptr_t)batch,
                                  (uintptr_t)closed_scope, (uintptr_t)closed_batch};
  const uintptr_t not_batches[] = {(uintptr_t)fixture->vault, (uintptr_t)fixture->scope,
                                   (uintptr_t)closed_scope, (uintptr_t)closed_batch};
  for (size_t i = 0; i < 4; ++i) {
    use_vault((quietus_vault)not_vaults[i], QUIETUS_EINVALID);
    use_scope((quietus_scope)not_scopes[i], batch, QUIETUS_EINVALID);
    as_batch((quietus_batch)not_batches[i], fixture->scope);
  }

  /* What was opened from a vault outlives it as a handle, and answers. */
  quietus_vault vault = fixture->vault;
  EXPECT(QUIETUS_OK, quietus_close(vault));
  EXPECT(QUIETUS_EINVALID, quietus_close(vault));
  use_vault(vault, QUIETUS_EINVALID);
  EXPECT(QUIETUS_OK, quietus_batch_put(batch, "x", "x", 1, NULL));
  use_scope(fixture->scope, batch, QUIETUS_EUNAVAILABLE);
  EXPECT(QUIETUS_OK, quietus_open(fixture->vault_folder, &fixture->unlock, NULL, &fixture->vault));
  EXPECT(QUIETUS_EUNAVAILABLE, quietus_put(fixture->scope, "x", "x", 1, NULL, NULL));
  EXPECT(QUIETUS_OK, quietus_close_scope(fixture->scope));
  EXPECT(QUIETUS_OK, quietus_open_scope(fixture->vault, "acme", &fixture->scope));
  EXPECT(QUIETUS_OK, quietus_close_batch(batch));

  /* A process opens a vault once. */
  EXPECT(QUIETUS_EBUSY, quietus_open(fixture->vault_folder, &fixture->unlock, NULL, &vault));
  EXPECT_TRUE(vault == NULL);
}
