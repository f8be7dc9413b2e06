/* Callbacks that stop, that lie, and that call back; and handles after fork(). */
#include "capi.h"

#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Calls {
  Fixture* fixture;
  int count;
  int stop; /* what to answer */
} Calls;

static int stop_scope(void* context, const quietus_scope_info* info) {
  Calls* const calls = context;
  EXPECT_TRUE(info->size == sizeof *info && info->state != NULL);
  ++calls->count;
  return calls->stop;
}
static int stop_record(void* context, const quietus_record_info* info) {
  Calls* const calls = context;
  EXPECT_TRUE(info->size == sizeof *info && info->name != NULL);
  ++calls->count;
  return calls->stop;
}
static int stop_bytes(void* context, const uint8_t* data, size_t size) {
  Calls* const calls = context;
  (void)data, (void)size;
  ++calls->count;
  return calls->stop;
}
static int stop_source(void* context, uint8_t* data, size_t capacity, size_t* size) {
  Calls* const calls = context;
  memset(data, 'x', capacity);
  *size = capacity;
  return ++calls->count > 3 ? calls->stop : 0;
}
/* Says that it wrote more than there was room. */
static int lying_source(void* context, uint8_t* data, size_t capacity, size_t* size) {
  (void)context, (void)data;
  *size = capacity + 1;
  return 0;
}
static int huge_source(void* context, uint8_t* data, size_t capacity, size_t* size) {
  (void)context, (void)data, (void)capacity;
  *size = SIZE_MAX;
  return 0;
}
static int stop_erasure(void* context, const quietus_erasure* erasure) {
  Calls* const calls = context;
  EXPECT_TRUE(erasure->size == sizeof *erasure && strlen(erasure->certificate_id) == 32);
  ++calls->count;
  return calls->stop;
}
static int stop_appointment(void* context, const char* path, int64_t when) {
  Calls* const calls = context;
  EXPECT_TRUE(path != NULL && when > 0);
  ++calls->count;
  return calls->stop;
}
static int stop_certificate(void* context, const char* id, const char* status, int64_t issued) {
  Calls* const calls = context;
  EXPECT_TRUE(strlen(id) == 32 && status != NULL && issued > 0);
  ++calls->count;
  return calls->stop;
}

/* Calls back, with the very handles that are being worked with. */
static void call_back(Fixture* f) {
  char bytes[16];
  size_t size = 0;
  quietus_scope scope = NULL;
  Calls calls = {f, 0, 0};
  EXPECT(QUIETUS_OK, quietus_get(f->scope, "greeting", bytes, sizeof bytes, &size));
  EXPECT(QUIETUS_OK, quietus_put(f->scope, "from inside", "x", 1, NULL, NULL));
  EXPECT(QUIETUS_OK, quietus_list(f->scope, "greet", stop_record, &calls));
  EXPECT(QUIETUS_OK, quietus_children(f->vault, "", stop_scope, &calls));
  EXPECT(QUIETUS_OK, quietus_open_scope(f->vault, "acme", &scope));
  EXPECT(QUIETUS_OK, quietus_remove(scope, "from inside", NULL));
  EXPECT(QUIETUS_OK, quietus_close_scope(scope));
  EXPECT_TRUE(calls.count > 0);
}
static int nested_record(void* context, const quietus_record_info* info) {
  (void)info;
  call_back(context);
  return 0;
}
static int nested_bytes(void* context, const uint8_t* data, size_t size) {
  (void)data, (void)size;
  call_back(context);
  return 0;
}
static int nested_scope(void* context, const quietus_scope_info* info) {
  (void)info;
  call_back(context);
  return 0;
}
static int nested_source(void* context, uint8_t* data, size_t capacity, size_t* size) {
  Calls* const calls = context;
  call_back(calls->fixture);
  *size = calls->count++ < 2 ? capacity : 0;
  memset(data, 'x', *size);
  return 0;
}
static int nested_erasure(void* context, const quietus_erasure* erasure) {
  (void)erasure;
  call_back(context);
  return 0;
}

static void stopped(Fixture* f) {
  const int stops[] = {1, -1, QUIETUS_EERASED, 1 << 30};
  for (size_t i = 0; i < sizeof stops / sizeof *stops; ++i) {
    Calls calls = {f, 0, stops[i]};
    EXPECT(QUIETUS_STOPPED, quietus_describe(f->vault, "acme", stop_scope, &calls));
    EXPECT(QUIETUS_STOPPED, quietus_children(f->vault, "", stop_scope, &calls));
    EXPECT(QUIETUS_STOPPED, quietus_stat(f->scope, "greeting", stop_record, &calls));
    EXPECT(QUIETUS_STOPPED, quietus_list(f->scope, "", stop_record, &calls));
    EXPECT(QUIETUS_STOPPED, quietus_get_view(f->scope, "greeting", stop_bytes, &calls));
    EXPECT(QUIETUS_STOPPED, quietus_get_stream(f->scope, "greeting", stop_bytes, &calls));
    EXPECT_TRUE(calls.count == 6); /* once each, not again after they stopped it */
    calls.count = 0;
    EXPECT(QUIETUS_STOPPED, quietus_put_stream(f->scope, "half", stop_source, &calls, NULL, NULL));
    EXPECT(QUIETUS_ABSENT, quietus_stat(f->scope, "half", stop_record, &calls));
  }
  Calls calls = {f, 0, 0};
  EXPECT(QUIETUS_ABSENT, quietus_stat(f->scope, "half", stop_record, &calls));
  EXPECT(QUIETUS_ABSENT, quietus_get_view(f->scope, "half", stop_bytes, &calls));
  EXPECT(QUIETUS_ABSENT, quietus_get_stream(f->scope, "half", stop_bytes, &calls));
  EXPECT(QUIETUS_ABSENT, quietus_remove(f->scope, "half", NULL));
  EXPECT_TRUE(calls.count == 0);
  EXPECT(QUIETUS_OK, quietus_put(f->scope, "empty", NULL, 0, NULL, NULL));
  EXPECT(QUIETUS_OK, quietus_get_view(f->scope, "empty", stop_bytes, &calls));
  EXPECT(QUIETUS_OK, quietus_remove(f->scope, "empty", NULL));
  EXPECT(QUIETUS_EINVALID, quietus_put_stream(f->scope, "half", lying_source, NULL, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_put_stream(f->scope, "half", huge_source, NULL, NULL, NULL));
}

static void erased(Fixture* f) {
  static const char* const bob[] = {"bob"};
  Calls calls = {f, 0, 1};
  quietus_scope scope = NULL;
  char bytes[16];
  size_t size = 0;
  EXPECT(QUIETUS_OK, quietus_create_scope(f->vault, "bob", NULL, &scope));
  EXPECT(QUIETUS_OK, quietus_put(scope, "x", "x", 1, NULL, NULL));
  /* What is done is done, whatever is answered. */
  EXPECT(QUIETUS_OK, quietus_erase(f->vault, bob, 1, "contract-ended", stop_erasure, &calls));
  EXPECT_TRUE(calls.count == 1);
  EXPECT(QUIETUS_EERASED, quietus_get(scope, "x", bytes, sizeof bytes, &size));
  EXPECT(QUIETUS_EERASED, quietus_erase(f->vault, bob, 1, "contract-ended", NULL, NULL));
  EXPECT(QUIETUS_EERASED, quietus_create_scope(f->vault, "bob", NULL, NULL));
  EXPECT(QUIETUS_OK, quietus_close_scope(scope));
  EXPECT(QUIETUS_STOPPED, quietus_certificates(f->vault, stop_certificate, &calls));
  static const char* const carol[] = {"carol"};
  EXPECT(QUIETUS_OK, quietus_create_scope(f->vault, "carol", NULL, NULL));
  EXPECT(QUIETUS_OK, quietus_erase(f->vault, carol, 1, "contract-ended", nested_erasure, f));
  static const char* const dave[] = {"dave"};
  EXPECT(QUIETUS_OK, quietus_create_scope(f->vault, "dave", NULL, NULL));
  calls.count = 0;
  const int scheduled =
      quietus_schedule_erasure(f->vault, dave, 1, "other", stop_appointment, &calls);
  EXPECT_TRUE(scheduled == QUIETUS_EREFUSED || (scheduled == QUIETUS_OK && calls.count == 1));
}

void test_callbacks(Fixture* f) {
  stopped(f);
  EXPECT(QUIETUS_OK, quietus_stat(f->scope, "greeting", nested_record, f));
  EXPECT(QUIETUS_OK, quietus_list(f->scope, "", nested_record, f));
  EXPECT(QUIETUS_OK, quietus_get_view(f->scope, "greeting", nested_bytes, f));
  EXPECT(QUIETUS_OK, quietus_describe(f->vault, "acme", nested_scope, f));
  EXPECT(QUIETUS_OK, quietus_children(f->vault, "", nested_scope, f));
  Calls calls = {f, 0, 0};
  EXPECT(QUIETUS_OK, quietus_put_stream(f->scope, "large", nested_source, &calls, NULL, NULL));
  EXPECT(QUIETUS_OK, quietus_get_stream(f->scope, "large", nested_bytes, f));
  EXPECT(QUIETUS_OK, quietus_remove(f->scope, "large", NULL));
  erased(f);
}

void test_fork(Fixture* f) {
  const pid_t child = fork();
  if (child == 0) {
    quietus_batch batch = NULL;
    const int before = failures();
    alarm(60); /* a lock that a thread of the parent holds would never be free here */
    EXPECT(QUIETUS_OK, quietus_new_batch(&batch));
    EXPECT(QUIETUS_OK, quietus_batch_put(batch, "x", "x", 1, NULL));
    use_vault(f->vault, QUIETUS_EUNAVAILABLE);
    use_operations(f->vault, QUIETUS_EUNAVAILABLE);
    use_scope(f->scope, batch, QUIETUS_EUNAVAILABLE);
    EXPECT(QUIETUS_OK, quietus_close_batch(batch));
    EXPECT(QUIETUS_OK, quietus_close_scope(f->scope));
    EXPECT(QUIETUS_OK, quietus_close(f->vault));
    _exit(failures() - before);
  }
  int status = 0;
  EXPECT_TRUE(child > 0 && waitpid(child, &status, 0) == child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
