/* Arguments that are NULL or wrong, structs whose size is wrong, buffers that are too small. */
#include "capi.h"

#include <stdint.h>
#include <string.h>

static int see_scope(void* context, const quietus_scope_info* info) {
  (void)context, (void)info;
  return 0;
}

static void null_to_vaults(Fixture* f) {
  const quietus_vault vault = f->vault;
  const char* const holes[] = {"acme", NULL};
  char bytes[64];
  size_t size = 0;
  quietus_vault out = NULL;
  quietus_scope scope = NULL;
  char id[33];
  EXPECT(QUIETUS_EINVALID, quietus_new_key_file(NULL));
  EXPECT(QUIETUS_EINVALID, quietus_create(NULL, &f->unlock, NULL, &out));
  EXPECT(QUIETUS_EINVALID, quietus_create(f->folder, NULL, NULL, &out));
  EXPECT(QUIETUS_EINVALID, quietus_create(f->folder, &f->unlock, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_open(NULL, &f->unlock, NULL, &out));
  EXPECT(QUIETUS_EINVALID, quietus_open(f->vault_folder, NULL, NULL, &out));
  EXPECT(QUIETUS_EINVALID, quietus_open(f->vault_folder, &f->unlock, NULL, NULL));
  EXPECT(QUIETUS_ENOTFOUND, quietus_open(f->folder, &f->unlock, NULL, &out));
  EXPECT(QUIETUS_EINVALID, quietus_status(vault, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_check(vault, NULL, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_create_scope(vault, NULL, NULL, &scope));
  EXPECT(QUIETUS_EINVALID, quietus_create_scope(vault, "", NULL, &scope));
  EXPECT(QUIETUS_EEXISTS, quietus_create_scope(vault, "acme", NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_open_scope(vault, NULL, &scope));
  EXPECT(QUIETUS_EINVALID, quietus_open_scope(vault, "acme", NULL));
  EXPECT(QUIETUS_ENOTFOUND, quietus_open_scope(vault, "nobody", &scope));
  EXPECT(QUIETUS_EINVALID, quietus_open_restricted(vault, NULL, "consent", &scope));
  EXPECT(QUIETUS_EINVALID, quietus_open_restricted(vault, "acme", NULL, &scope));
  EXPECT(QUIETUS_EINVALID, quietus_open_restricted(vault, "acme", "curiosity", &scope));
  EXPECT(QUIETUS_EINVALID, quietus_open_restricted(vault, "acme", "consent", NULL));
  EXPECT(QUIETUS_EINVALID, quietus_describe(vault, NULL, see_scope, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_describe(vault, "acme", NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_children(vault, NULL, see_scope, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_children(vault, "", NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_erase(vault, NULL, 1, "other", NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_erase(vault, NULL, 0, "other", NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_erase(vault, holes, 2, "other", NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_erase(vault, holes, 1, NULL, NULL, NULL));
  EXPECT(QUIETUS_OK, quietus_resume(vault, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_schedule_erasure(vault, holes, 2, "other", NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_schedule_erasure(vault, holes, 1, NULL, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_cancel_erasure(vault, holes, 2));
  EXPECT(QUIETUS_EINVALID, quietus_apply_policy(vault, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_apply_policy(vault, "no policy"));
  EXPECT(QUIETUS_EINVALID, quietus_terminate(vault, NULL, 1));
  EXPECT(QUIETUS_EINVALID, quietus_cancel_termination(vault, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_withdraw_consent(vault, NULL, 1));
  EXPECT(QUIETUS_EINVALID, quietus_suspend(vault, NULL, "other"));
  EXPECT(QUIETUS_EINVALID, quietus_suspend(vault, "acme", NULL));
  EXPECT(QUIETUS_EINVALID, quietus_suspend(vault, "acme", "whim"));
  EXPECT(QUIETUS_EINVALID, quietus_unsuspend(vault, "acme", NULL));
  EXPECT(QUIETUS_EINVALID, quietus_deactivate(vault, "acme", NULL));
  EXPECT(QUIETUS_EINVALID, quietus_rotate(vault, "acme", NULL));
  EXPECT(QUIETUS_EINVALID, quietus_purge(vault, NULL, "other"));
  EXPECT(QUIETUS_EINVALID, quietus_place_hold(vault, "acme", "other", NULL, 0, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_place_hold(vault, NULL, "other", NULL, 0, id));
  EXPECT(QUIETUS_EINVALID, quietus_place_hold(vault, "acme", NULL, NULL, 0, id));
  EXPECT(QUIETUS_EINVALID, quietus_release_hold(vault, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_certificates(vault, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_certificate(vault, NULL, bytes, sizeof bytes, &size));
  EXPECT(QUIETUS_ENOTFOUND, quietus_certificate(vault, "0123456789abcdef0123456789abcdef", bytes,
                                                sizeof bytes, &size));
  EXPECT(QUIETUS_EINVALID, quietus_certificate_of(vault, NULL, bytes, sizeof bytes, &size));
  EXPECT(QUIETUS_ENOTFOUND, quietus_certificate_of(vault, "acme", bytes, sizeof bytes, &size));
  EXPECT(QUIETUS_EINVALID, quietus_issuing_key_pem(vault, bytes, sizeof bytes, NULL));
  EXPECT_TRUE(quietus_verify_certificate(NULL, 0, "", NULL, NULL) < 0);
  EXPECT_TRUE(quietus_verify_certificate("{}", 2, "no key", NULL, NULL) < 0);
  EXPECT(QUIETUS_EINVALID, quietus_verify_certificate(NULL, 1, "", NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_verify_certificate("{}", 2, NULL, NULL, NULL));
}

static void null_to_scopes(Fixture* f) {
  const quietus_scope scope = f->scope;
  quietus_batch batch = NULL;
  char bytes[256];
  size_t size = 0;
  uint8_t pseudonym[16];
  EXPECT(QUIETUS_EINVALID, quietus_scope_id(scope, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_put(scope, NULL, "x", 1, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_put(scope, "x", NULL, 1, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_put(scope, "", "x", 1, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_put(scope, "\n", "x", 1, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_put_stream(scope, "x", NULL, NULL, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_get(scope, NULL, bytes, sizeof bytes, &size));
  EXPECT(QUIETUS_EINVALID, quietus_get(scope, "greeting", NULL, 5, &size));
  EXPECT(QUIETUS_EINVALID, quietus_get(scope, "greeting", bytes, sizeof bytes, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_get_view(scope, "greeting", NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_get_view(scope, NULL, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_get_stream(scope, "greeting", NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_stat(scope, "greeting", NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_remove(scope, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_list(scope, "", NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_list(scope, NULL, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_seal(scope, NULL, 1, bytes, sizeof bytes, &size));
  EXPECT(QUIETUS_EINVALID, quietus_seal(scope, "x", 1, bytes, sizeof bytes, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_seal(scope, "x", 1, NULL, sizeof bytes, &size));
  EXPECT(QUIETUS_EINVALID, quietus_unseal(scope, NULL, 1, bytes, sizeof bytes, &size));
  EXPECT(QUIETUS_EINVALID, quietus_unseal(scope, NULL, 0, bytes, sizeof bytes, &size));
  EXPECT(QUIETUS_EINVALID, quietus_unseal(scope, "no token", 8, bytes, sizeof bytes, &size));
  EXPECT(QUIETUS_EINVALID, quietus_pseudonym(scope, NULL, 1, pseudonym));
  EXPECT(QUIETUS_EINVALID, quietus_pseudonym(scope, "x", 1, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_new_batch(NULL));
  EXPECT(QUIETUS_OK, quietus_new_batch(&batch));
  EXPECT(QUIETUS_EINVALID, quietus_batch_put(batch, NULL, "x", 1, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_batch_put(batch, "x", NULL, 1, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_batch_remove(batch, NULL));
  /* A bad name is found when it is written, and nothing of the batch is. */
  EXPECT(QUIETUS_OK, quietus_batch_put(batch, "good", "x", 1, NULL));
  EXPECT(QUIETUS_OK, quietus_batch_put(batch, "", "x", 1, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_write(scope, batch));
  EXPECT(QUIETUS_ABSENT, quietus_get(scope, "good", bytes, sizeof bytes, &size));
  EXPECT(QUIETUS_OK, quietus_close_batch(batch));
  /* What holds nothing may be NULL. */
  EXPECT(QUIETUS_OK, quietus_put(scope, "empty", NULL, 0, NULL, NULL));
  EXPECT(QUIETUS_OK, quietus_get(scope, "empty", NULL, 0, &size));
  EXPECT_TRUE(size == 0);
  EXPECT(QUIETUS_OK, quietus_remove(scope, "empty", NULL));
}

void test_arguments(Fixture* fixture) {
  null_to_vaults(fixture);
  null_to_scopes(fixture);
}

/* Each struct at the beginning of room for a later version of it. */
typedef union Room {
  size_t size;
  quietus_unlock unlock;
  quietus_open_options open;
  quietus_create_options create;
  quietus_scope_options scope;
  quietus_put_options put;
  quietus_sweep_options sweep;
  quietus_status_info status;
  quietus_check_report check;
  quietus_sweep_report swept;
  unsigned char bytes[1024];
} Room;

typedef int (*WithStruct)(Fixture* fixture, Room* room);
static int as_unlock(Fixture* f, Room* room) {
  quietus_vault vault = NULL;
  room->unlock.key_file = f->key_file;
  return quietus_open(f->vault_folder, &room->unlock, NULL, &vault);
}
static int as_open(Fixture* f, Room* room) {
  quietus_vault vault = NULL;
  return quietus_open(f->vault_folder, &f->unlock, &room->open, &vault);
}
static int as_create(Fixture* f, Room* room) {
  quietus_vault vault = NULL;
  return quietus_create(f->vault_folder, &f->unlock, &room->create, &vault);
}
static int as_scope_options(Fixture* f, Room* room) {
  return quietus_create_scope(f->vault, "acme", &room->scope, NULL);
}
static int as_put(Fixture* f, Room* room) {
  return quietus_put(f->scope, "put", "x", 1, &room->put, NULL);
}
static int as_batch_put(Fixture* f, Room* room) {
  quietus_batch batch = NULL;
  (void)f;
  EXPECT(QUIETUS_OK, quietus_new_batch(&batch));
  const int answer = quietus_batch_put(batch, "put", "x", 1, &room->put);
  const int code = quietus_last_error_code();
  EXPECT(QUIETUS_OK, quietus_close_batch(batch));
  EXPECT_TRUE(quietus_last_error_code() == code); /* success says nothing about errors */
  return answer;
}
static int as_sweep(Fixture* f, Room* room) {
  return quietus_sweep(f->vault, &room->sweep, NULL, NULL, NULL);
}
static int as_status(Fixture* f, Room* room) {
  return quietus_status(f->vault, &room->status);
}
static int as_check(Fixture* f, Room* room) {
  return quietus_check(f->vault, NULL, NULL, &room->check);
}
static int as_swept(Fixture* f, Room* room) {
  return quietus_sweep(f->vault, NULL, &room->swept, NULL, NULL);
}

static int with_size(Fixture* fixture, WithStruct call, Room* room, size_t size, int filler) {
  memset(room, filler, sizeof *room);
  room->size = size;
  return call(fixture, room);
}

void test_structs(Fixture* fixture) {
  /* What each comes to when its struct is right, which for most is that the vault is open. */
  const struct {
    WithStruct call;
    size_t size;
    int right;
  } in[] = {{as_unlock, sizeof(quietus_unlock), QUIETUS_EBUSY},
            {as_open, sizeof(quietus_open_options), QUIETUS_EBUSY},
            {as_create, sizeof(quietus_create_options), QUIETUS_EEXISTS},
            {as_scope_options, sizeof(quietus_scope_options), QUIETUS_EEXISTS},
            {as_put, sizeof(quietus_put_options), QUIETUS_OK},
            {as_batch_put, sizeof(quietus_put_options), QUIETUS_OK},
            {as_sweep, sizeof(quietus_sweep_options), QUIETUS_OK}},
    out[] = {{as_status, sizeof(quietus_status_info), QUIETUS_OK},
             {as_check, sizeof(quietus_check_report), QUIETUS_OK},
             {as_swept, sizeof(quietus_sweep_report), QUIETUS_OK}};
  static Room room;
  /* Never set, cut in the middle of a member, or whatever was in memory. */
  const size_t wrong[] = {
      0, 1, sizeof(size_t) - 1, sizeof(size_t) + 3, SIZE_MAX, SIZE_MAX - 7, SIZE_MAX / 2, 1u << 20};
  for (size_t i = 0; i < sizeof in / sizeof *in; ++i) {
    for (size_t j = 0; j < sizeof wrong / sizeof *wrong; ++j)
      EXPECT(QUIETUS_EINVALID, with_size(fixture, in[i].call, &room, wrong[j], 0));
    EXPECT(in[i].right, with_size(fixture, in[i].call, &room, in[i].size, 0));
    /* Of a later version: fine as long as nothing is asked that this one does not know. */
    EXPECT(in[i].right, with_size(fixture, in[i].call, &room, in[i].size + 64, 0));
    memset(&room, 0, sizeof room);
    room.size = in[i].size + 64;
    room.bytes[in[i].size + 63] = 1;
    EXPECT(QUIETUS_EUNSUPPORTED, in[i].call(fixture, &room));
  }
  for (size_t i = 0; i < sizeof out / sizeof *out; ++i) {
    for (size_t j = 0; j < sizeof wrong / sizeof *wrong; ++j)
      EXPECT(QUIETUS_EINVALID, with_size(fixture, out[i].call, &room, wrong[j], 0x55));
    /* Nothing is written behind what the caller says there is. */
    const size_t sizes[] = {sizeof(size_t), 2 * sizeof(size_t), out[i].size};
    for (size_t j = 0; j < sizeof sizes / sizeof *sizes; ++j) {
      EXPECT(out[i].right, with_size(fixture, out[i].call, &room, sizes[j], 0x55));
      EXPECT_TRUE(room.size == sizes[j]);
      for (size_t at = sizes[j]; at < sizeof room; ++at) EXPECT_TRUE(room.bytes[at] == 0x55);
    }
    /* What a later version knows is zero from this one. */
    EXPECT(out[i].right, with_size(fixture, out[i].call, &room, out[i].size + 64, 0x55));
    EXPECT_TRUE(room.size == out[i].size + 64);
    for (size_t at = 0; at < 64; ++at) EXPECT_TRUE(room.bytes[out[i].size + at] == 0);
  }
  EXPECT(QUIETUS_OK, quietus_remove(fixture->scope, "put", NULL));

  /* An unlock that names none of the two, or both. */
  quietus_vault vault = NULL;
  quietus_unlock unlock = {sizeof unlock, NULL, NULL};
  EXPECT(QUIETUS_EINVALID, quietus_open(fixture->vault_folder, &unlock, NULL, &vault));
  unlock.key_file = unlock.passphrase_file = fixture->key_file;
  EXPECT(QUIETUS_EINVALID, quietus_open(fixture->vault_folder, &unlock, NULL, &vault));
  /* Paths of NULL in options. */
  const char* const holes[] = {NULL};
  quietus_scope_options scope = {sizeof scope, NULL, holes, 1};
  EXPECT(QUIETUS_EINVALID, quietus_create_scope(fixture->vault, "acme/x", &scope, NULL));
  scope.derived_from = NULL;
  EXPECT(QUIETUS_EINVALID, quietus_create_scope(fixture->vault, "acme/x", &scope, NULL));
}

void test_buffers(Fixture* fixture) {
  const quietus_scope scope = fixture->scope;
  unsigned char bytes[512], token[512];
  size_t size = 0, sealed = 0;
  for (size_t capacity = 0; capacity < 5; ++capacity) {
    memset(bytes, 0x55, sizeof bytes);
    EXPECT(QUIETUS_TOO_SMALL,
           quietus_get(scope, "greeting", capacity == 0 ? NULL : bytes, capacity, &size));
    EXPECT_TRUE(size == 5);
    for (size_t at = 0; at < sizeof bytes; ++at) EXPECT_TRUE(bytes[at] == 0x55);
  }
  EXPECT(QUIETUS_OK, quietus_get(scope, "greeting", bytes, 5, &size));
  EXPECT_TRUE(size == 5 && memcmp(bytes, "hello", 5) == 0 && bytes[5] == 0x55);
  EXPECT(QUIETUS_ABSENT, quietus_get(scope, "nothing", bytes, sizeof bytes, &size));
  EXPECT_TRUE(size == 0);

  EXPECT(QUIETUS_TOO_SMALL, quietus_seal(scope, "hello", 5, NULL, 0, &sealed));
  memset(token, 0x55, sizeof token);
  EXPECT(QUIETUS_TOO_SMALL, quietus_seal(scope, "hello", 5, token, sealed - 1, &size));
  EXPECT_TRUE(size == sealed && token[0] == 0x55 && token[sealed - 2] == 0x55);
  EXPECT(QUIETUS_OK, quietus_seal(scope, "hello", 5, token, sealed, &size));
  EXPECT(QUIETUS_TOO_SMALL, quietus_unseal(scope, token, sealed, bytes, 4, &size));
  EXPECT_TRUE(size == 5);
  EXPECT(QUIETUS_OK, quietus_unseal(scope, token, sealed, bytes, 5, &size));
  EXPECT_TRUE(memcmp(bytes, "hello", 5) == 0);
  EXPECT_TRUE(quietus_unseal(scope, token, sealed - 1, bytes, 5, &size) < 0);
  token[sealed - 1] ^= 1;
  EXPECT(QUIETUS_ECORRUPT, quietus_unseal(scope, token, sealed, bytes, 5, &size));
  EXPECT(QUIETUS_OK, quietus_seal(scope, NULL, 0, token, sizeof token, &sealed));
  EXPECT(QUIETUS_OK, quietus_unseal(scope, token, sealed, NULL, 0, &size));
  EXPECT_TRUE(size == 0);

  /* Text has a NUL at its end that needs room and is not counted. */
  char pem[1024];
  EXPECT(QUIETUS_TOO_SMALL, quietus_issuing_key_pem(fixture->vault, NULL, 0, &size));
  EXPECT(QUIETUS_TOO_SMALL, quietus_issuing_key_pem(fixture->vault, pem, size, &size));
  EXPECT(QUIETUS_OK, quietus_issuing_key_pem(fixture->vault, pem, size + 1, &size));
  EXPECT_TRUE(strlen(pem) == size);
  EXPECT(QUIETUS_EINVALID, quietus_issuing_key_pem(fixture->vault, NULL, sizeof pem, &size));
}
