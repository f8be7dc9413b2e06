/* Import, export and backups, and every function of operations.h with handles that are none. */
#include "capi.h"

#include <quietus/operations.h>

#include <stdio.h>
#include <string.h>

static void take_line(void* context, const char* line) {
  EXPECT_TRUE(line != NULL && *line);
  ++*(int*)context;
}

static const char* const no_id = "00000000000000000000000000000000";

/* ---- memory as a sink and as a source -------------------------------------------------------- */

typedef struct Memory {
  unsigned char bytes[1 << 20];
  size_t size;
  size_t at;
  int stop_after; /* calls; 0: never */
} Memory;
static Memory backup, later, lines;

static int fill(void* context, const uint8_t* data, size_t size) {
  Memory* const memory = context;
  if (memory->stop_after != 0 && --memory->stop_after == 0) return 1;
  if (size > sizeof memory->bytes - memory->size) return 1;
  if (size != 0) memcpy(memory->bytes + memory->size, data, size);
  memory->size += size;
  return 0;
}
static int drain(void* context, uint8_t* data, size_t capacity, size_t* size) {
  Memory* const memory = context;
  const size_t left = memory->size - memory->at;
  *size = left < capacity ? left : capacity;
  if (*size != 0) memcpy(data, memory->bytes + memory->at, *size);
  memory->at += *size;
  return 0;
}
static int lying(void* context, uint8_t* data, size_t capacity, size_t* size) {
  (void)context, (void)data;
  *size = capacity + 1;
  return 0;
}
static void empty(Memory* memory) {
  memory->size = memory->at = 0, memory->stop_after = 0;
}

/* ---- transfers and backups ------------------------------------------------------------------- */

typedef struct Seen {
  int count;
  int code;
  char id[33];
  char base[33];
} Seen;
static int see_failure(void* context, const char* name, int code, const char* why) {
  Seen* const seen = context;
  EXPECT_TRUE(name != NULL && why != NULL && *why);
  seen->count++, seen->code = code;
  return 0;
}
static int see_backup(void* context, const quietus_backup* made) {
  Seen* const seen = context;
  EXPECT_TRUE(made->size == sizeof *made && strlen(made->id) == 32 && made->begun_ms > 0 &&
              made->expires_ms > made->begun_ms);
  seen->count++;
  snprintf(seen->id, sizeof seen->id, "%s", made->id);
  snprintf(seen->base, sizeof seen->base, "%s", made->base_id);
  return 0;
}
static int stop_progress(void* context, uint64_t done, uint64_t total) {
  (void)done, (void)total;
  ++*(int*)context;
  return 1;
}

static void transfers(Fixture* f) {
  quietus_transfer_report report = {.size = sizeof report};
  quietus_scope other = NULL;
  Seen seen = {0};
  char read[8];
  size_t size = 0;
  empty(&lines);
  EXPECT(QUIETUS_OK, quietus_create_scope(f->vault, "moved", NULL, &other));
  EXPECT(QUIETUS_OK, quietus_export_ndjson(f->vault, "acme", NULL, fill, &lines, &report));
  EXPECT_TRUE(report.records == 1 && report.bytes == 5 && report.recorded == 1);
  EXPECT(QUIETUS_OK, quietus_import_ndjson(other, drain, &lines, NULL, NULL, &report));
  EXPECT_TRUE(report.records == 1 && report.failed == 0);
  EXPECT(QUIETUS_OK, quietus_get(other, "greeting", read, sizeof read, &size));
  EXPECT_TRUE(size == 5 && memcmp(read, "hello", 5) == 0);
  /* What is no line stops it, and is no success. */
  empty(&lines);
  lines.size =
      (size_t)sprintf((char*)lines.bytes, "{\"name\":\"a\",\"value\":\"eA==\"}\nno line\n");
  EXPECT(QUIETUS_EINVALID,
         quietus_import_ndjson(other, drain, &lines, see_failure, &seen, &report));
  EXPECT_TRUE(report.records <= 1);
  EXPECT(QUIETUS_EINVALID, quietus_import_ndjson(other, lying, NULL, NULL, NULL, NULL));
  empty(&lines);
  lines.stop_after = 1;
  EXPECT(QUIETUS_STOPPED, quietus_export_ndjson(f->vault, "acme", NULL, fill, &lines, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_export_ndjson(f->vault, "acme", "whim", fill, &lines, NULL));
  EXPECT(QUIETUS_ENOTFOUND, quietus_export_ndjson(f->vault, "nobody", NULL, fill, &lines, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_export_ndjson(f->vault, NULL, NULL, fill, &lines, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_export_ndjson(f->vault, "acme", NULL, NULL, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_import_ndjson(other, NULL, NULL, NULL, NULL, NULL));
  report.size = 3;
  EXPECT(QUIETUS_EINVALID, quietus_export_ndjson(f->vault, "acme", NULL, fill, &lines, &report));
  EXPECT(QUIETUS_EINVALID, quietus_import_ndjson(other, drain, &lines, NULL, NULL, &report));
  EXPECT(QUIETUS_OK, quietus_close_scope(other));
  EXPECT(QUIETUS_EINVALID, quietus_import_ndjson(other, drain, &lines, NULL, NULL, NULL));
}

static void backups(Fixture* f) {
  quietus_backup_options options = {.size = sizeof options, .keep = "30d"};
  quietus_backup_report report = {.size = sizeof report};
  Seen seen = {0}, listed = {0};
  int asked = 0;
  empty(&backup), empty(&later);
  EXPECT(QUIETUS_OK, quietus_back_up(f->vault, fill, &backup, &options, see_backup, &seen));
  EXPECT_TRUE(seen.count == 1 && backup.size > 0 && !*seen.base);
  EXPECT(QUIETUS_OK, quietus_verify_backup(f->vault, drain, &backup, NULL, NULL, &report));
  EXPECT_TRUE(report.records == report.opened + report.erased + report.purged &&
              report.opened >= 1);
  /* What changed since. */
  EXPECT(QUIETUS_OK, quietus_put(f->scope, "new", "x", 1, NULL, NULL));
  char base[33];
  memcpy(base, seen.id, sizeof base);
  backup.at = 0;
  options.base = drain, options.base_context = &backup;
  EXPECT(QUIETUS_OK, quietus_back_up(f->vault, fill, &later, &options, see_backup, &seen));
  EXPECT_TRUE(strcmp(seen.base, base) == 0);
  backup.at = 0;
  EXPECT(QUIETUS_EREFUSED, quietus_verify_backup(f->vault, drain, &later, NULL, NULL, NULL));
  later.at = backup.at = 0;
  EXPECT(QUIETUS_OK, quietus_verify_backup(f->vault, drain, &later, drain, &backup, &report));
  EXPECT(QUIETUS_OK, quietus_backups(f->vault, see_backup, &listed));
  EXPECT_TRUE(listed.count == 2);
  EXPECT(QUIETUS_EREFUSED, quietus_forget_backup(f->vault, base));
  EXPECT(QUIETUS_OK, quietus_forget_backup(f->vault, seen.id));
  EXPECT(QUIETUS_OK, quietus_forget_backup(f->vault, base));
  EXPECT(QUIETUS_ENOTFOUND, quietus_forget_backup(f->vault, no_id));
  /* Damaged, cut off, stopped. */
  backup.at = 0;
  backup.bytes[backup.size / 2] ^= 1; /* within a block */
  EXPECT(QUIETUS_EUNVERIFIED, quietus_verify_backup(f->vault, drain, &backup, NULL, NULL, NULL));
  empty(&backup);
  EXPECT_TRUE(quietus_verify_backup(f->vault, drain, &backup, NULL, NULL, NULL) < 0);
  options.base = NULL;
  options.progress = stop_progress, options.progress_context = &asked;
  EXPECT(QUIETUS_STOPPED, quietus_back_up(f->vault, fill, &backup, &options, NULL, NULL));
  EXPECT_TRUE(asked > 0);
  options.progress = NULL;
  empty(&backup);
  backup.stop_after = 2;
  EXPECT(QUIETUS_STOPPED, quietus_back_up(f->vault, fill, &backup, &options, NULL, NULL));
  options.keep = "soon";
  EXPECT(QUIETUS_EINVALID, quietus_back_up(f->vault, fill, &backup, &options, NULL, NULL));
  options.size = 7;
  EXPECT(QUIETUS_EINVALID, quietus_back_up(f->vault, fill, &backup, &options, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_back_up(f->vault, NULL, NULL, NULL, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_verify_backup(f->vault, NULL, NULL, NULL, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_backups(f->vault, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_forget_backup(f->vault, NULL));
  EXPECT(QUIETUS_EREFUSED, quietus_snapshot_keys(f->vault, fill, &backup, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_snapshot_keys(f->vault, NULL, NULL, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_import_receipt(f->vault, NULL));
  EXPECT_TRUE(quietus_import_receipt(f->vault, "no receipt") < 0);
  EXPECT(QUIETUS_OK, quietus_remove(f->scope, "new", NULL));
}

/* ---- misuse ---------------------------------------------------------------------------------- */

static int no_request(void* context, const quietus_request* request) {
  (void)context, (void)request;
  return 0;
}

void use_operations(quietus_vault vault, int wanted) {
  static const char* const acme[] = {"acme"};
  static const char* const admin[] = {"admin"};
  const quietus_request_spec spec = {sizeof spec, "deletion", acme, 1, "other", NULL, NULL, 0};
  const quietus_operator ada = {sizeof ada, "ada", admin, 1, "", 0, 0};
  const quietus_evidence card = {sizeof card, "identity-card", NULL, 0};
  char some[64];
  size_t size = 0;
  EXPECT(wanted, quietus_export_ndjson(vault, "acme", NULL, fill, &lines, NULL));
  EXPECT(wanted, quietus_back_up(vault, fill, &backup, NULL, NULL, NULL));
  EXPECT(wanted, quietus_snapshot_keys(vault, fill, &backup, NULL, NULL));
  EXPECT(wanted, quietus_verify_backup(vault, drain, &backup, NULL, NULL, NULL));
  EXPECT(wanted, quietus_backups(vault, see_backup, NULL));
  EXPECT(wanted, quietus_forget_backup(vault, no_id));
  EXPECT(wanted, quietus_import_receipt(vault, ""));
  EXPECT(wanted, quietus_challenge(vault, "ada", "look", some, sizeof some, &size));
  EXPECT(wanted, quietus_act(vault, "", "look"));
  EXPECT(wanted, quietus_open_request(vault, &spec, NULL, NULL));
  EXPECT(wanted, quietus_propose_operator(vault, &ada, NULL, NULL));
  EXPECT(wanted, quietus_verification(vault, no_id, &card, some, sizeof some, &size));
  EXPECT(wanted, quietus_verify_request(vault, no_id, "", "", NULL, NULL));
  EXPECT(wanted, quietus_request_plan(vault, no_id, some, sizeof some, &size));
  EXPECT(wanted, quietus_approve_request(vault, no_id, "", NULL, NULL));
  EXPECT(wanted, quietus_execute_request(vault, no_id, NULL, NULL));
  EXPECT(wanted, quietus_complete_request(vault, no_id));
  EXPECT(wanted, quietus_extend_request(vault, no_id, 1, "other"));
  EXPECT(wanted, quietus_reject_request(vault, no_id, "other"));
  EXPECT(wanted, quietus_cancel_request(vault, no_id));
  EXPECT(wanted, quietus_requests(vault, NULL, no_request, NULL));
}

/* Whatever it is told, and it is told nothing more once it is open. */
static void notices(Fixture* f) {
  int told = 0;
  const quietus_open_options options = {
      .size = sizeof options, .notice = take_line, .notice_context = &told};
  EXPECT(QUIETUS_OK, quietus_close_scope(f->scope));
  EXPECT(QUIETUS_OK, quietus_close(f->vault));
  EXPECT(QUIETUS_OK, quietus_open(f->vault_folder, &f->unlock, &options, &f->vault));
  EXPECT(QUIETUS_OK, quietus_open_scope(f->vault, "acme", &f->scope));
  const int at_open = told;
  EXPECT(QUIETUS_OK, quietus_put(f->scope, "noticed", "x", 1, NULL, NULL));
  EXPECT(QUIETUS_OK, quietus_remove(f->scope, "noticed", NULL));
  EXPECT_TRUE(told == at_open);
}

void test_operations(Fixture* f) {
  notices(f);
  transfers(f);
  backups(f);
  use_operations(NULL, QUIETUS_EINVALID);
  use_operations((quietus_vault)f->scope, QUIETUS_EINVALID);
}
