/* A stand-in for NVIDIA's management library, so that tests meet machines that nobody has at hand.
 *
 * The machine is described by a text file, named by FAKE_NVML and read again at every call, so that a test can
 * change the hardware while a program runs. Without the file the driver is "not loaded". Lines:
 *
 *     gpu INDEX TOTAL_MIB USED_MIB UTILISATION NAME...   a GPU; its UUID is GPU-...-<index>
 *     compute INDEX PID MIB                              a process that computes on it
 *     graphics INDEX PID MIB                             a process that draws on it
 *     lost INDEX CODE                                    every question about this GPU fails with CODE (15: GPU is lost)
 *     fail CODE                                          every question fails with CODE
 *     old                                                a driver of before 2022: no second memory call, no third process list
 *
 * The struct layouts are those of nvidia-ml-py 12 and 13. It proves our use of the binding, not of CUDA.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned int u32;
typedef unsigned long long u64;
typedef void *device;

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, NOT_LOADED = 9, NO_FUNCTION = 13, LOST = 15 };
enum { COMPUTE, GRAPHICS };
enum { MAX_GPUS = 32, MAX_PROCESSES = 256 };

struct gpu { int present, broken; u64 total, used; u32 utilisation; char name[64]; };
struct process { u32 gpu, pid; u64 used; int kind; };
struct machine { struct gpu gpus[MAX_GPUS]; struct process processes[MAX_PROCESSES]; int n_gpus, n_processes, is_old; };

static int look(struct machine *m) {
    const char *path = getenv("FAKE_NVML");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[512], kind[16];
    int code = SUCCESS, broken, name;
    u32 index, pid, utilisation;
    u64 total, used;
    memset(m, 0, sizeof *m);
    if (!file) return NOT_LOADED;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "gpu %u %llu %llu %u %n", &index, &total, &used, &utilisation, &name) == 4 && index < MAX_GPUS) {
            struct gpu *g = &m->gpus[index];
            g->present = 1; g->total = total << 20; g->used = used << 20; g->utilisation = utilisation;
            snprintf(g->name, sizeof g->name, "%.*s", (int)strcspn(line + name, "\n"), line + name);
            if ((int)index >= m->n_gpus) m->n_gpus = (int)index + 1;
        } else if (sscanf(line, "lost %u %d", &index, &broken) == 2 && index < MAX_GPUS) {
            m->gpus[index].broken = broken;
        } else if (sscanf(line, "fail %d", &broken) == 1) {
            code = broken;
        } else if (sscanf(line, "%15s %u %u %llu", kind, &index, &pid, &used) == 4 && m->n_processes < MAX_PROCESSES) {
            if (!strcmp(kind, "compute")) m->processes[m->n_processes++] = (struct process){index, pid, used << 20, COMPUTE};
            if (!strcmp(kind, "graphics")) m->processes[m->n_processes++] = (struct process){index, pid, used << 20, GRAPHICS};
        } else if (!strncmp(line, "old", 3)) {
            m->is_old = 1;
        }
    }
    fclose(file);
    return code;
}

/* A handle is the index plus one, so that it is never NULL. */
static int look_at(device d, struct machine *m, struct gpu **g) {
    int code = look(m);
    size_t index = (size_t)d - 1;
    if (code) return code;
    if (index >= MAX_GPUS || !m->gpus[index].present) return INVALID;
    *g = &m->gpus[index];
    return (*g)->broken;
}
#define GPU(d) struct machine m; struct gpu *g; int code = look_at(d, &m, &g); if (code) return code; (void)g

static void write_uuid(u32 index, char *text, u32 size) { snprintf(text, size, "GPU-00000000-0000-0000-0000-%012u", index); }

int nvmlInit_v2(void) { struct machine m; return look(&m); }
int nvmlInitWithFlags(u32 flags) { (void)flags; return nvmlInit_v2(); }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) {
    switch (code) {
        case SUCCESS: return "Success";
        case NOT_LOADED: return "Driver Not Loaded";
        case LOST: return "GPU is lost";
        default: return "Some other error";
    }
}
int nvmlSystemGetDriverVersion(char *text, u32 size) { struct machine m; snprintf(text, size, "580.00.00"); return look(&m); }
int nvmlSystemGetCudaDriverVersion(int *version) { *version = 13000; return SUCCESS; }

int nvmlDeviceGetCount_v2(u32 *count) { struct machine m; int code = look(&m); *count = (u32)m.n_gpus; return code; }
int nvmlDeviceGetHandleByIndex_v2(u32 index, device *d) { *d = (device)(size_t)(index + 1); GPU(*d); return SUCCESS; }
int nvmlDeviceGetHandleByUUID(const char *uuid, device *d) {
    char text[96];
    for (u32 index = 0; index < MAX_GPUS; index++) {
        write_uuid(index, text, sizeof text);
        if (!strcmp(uuid, text)) return nvmlDeviceGetHandleByIndex_v2(index, d);
    }
    return NOT_FOUND;
}
int nvmlDeviceGetIndex(device d, u32 *index) { GPU(d); *index = (u32)((size_t)d - 1); return SUCCESS; }
int nvmlDeviceGetName(device d, char *text, u32 size) { GPU(d); snprintf(text, size, "%s", g->name); return SUCCESS; }
int nvmlDeviceGetUUID(device d, char *text, u32 size) { GPU(d); write_uuid((u32)((size_t)d - 1), text, size); return SUCCESS; }

int nvmlDeviceGetMemoryInfo(device d, u64 *total_free_used) {
    GPU(d);
    total_free_used[0] = g->total; total_free_used[1] = g->total - g->used; total_free_used[2] = g->used;
    return SUCCESS;
}
struct memory { u32 version; u64 total, reserved, free, used; };
int nvmlDeviceGetMemoryInfo_v2(device d, struct memory *out) {
    GPU(d);
    if (m.is_old) return NO_FUNCTION;
    out->total = g->total; out->reserved = 0; out->used = g->used; out->free = g->total - g->used;
    return SUCCESS;
}
int nvmlDeviceGetUtilizationRates(device d, u32 *gpu_memory) { GPU(d); gpu_memory[0] = g->utilisation; gpu_memory[1] = g->utilisation / 2; return SUCCESS; }
int nvmlDeviceGetTemperature(device d, u32 sensor, u32 *celsius) { (void)sensor; GPU(d); *celsius = 40 + g->utilisation / 4; return SUCCESS; }
int nvmlDeviceGetPowerUsage(device d, u32 *milliwatts) { GPU(d); if (m.is_old) return NOT_SUPPORTED; *milliwatts = 50000 + g->utilisation * 2000; return SUCCESS; }

struct listed { u32 pid; u64 used; u32 gpu_instance, compute_instance; };
static int list(device d, int kind, u32 *count, struct listed *out) {
    GPU(d);
    u32 room = out ? *count : 0, found = 0;
    for (int i = 0; i < m.n_processes; i++) {
        if (m.processes[i].kind != kind || m.processes[i].gpu != (u32)((size_t)d - 1)) continue;
        if (found < room) out[found] = (struct listed){m.processes[i].pid, m.processes[i].used, ~0u, ~0u};
        found++;
    }
    *count = found;
    return found > room ? TOO_SMALL : SUCCESS;
}
int nvmlDeviceGetComputeRunningProcesses_v3(device d, u32 *count, struct listed *out) { GPU(d); return m.is_old ? NO_FUNCTION : list(d, COMPUTE, count, out); }
int nvmlDeviceGetGraphicsRunningProcesses_v3(device d, u32 *count, struct listed *out) { GPU(d); return m.is_old ? NO_FUNCTION : list(d, GRAPHICS, count, out); }
int nvmlDeviceGetComputeRunningProcesses_v2(device d, u32 *count, struct listed *out) { return list(d, COMPUTE, count, out); }
int nvmlDeviceGetGraphicsRunningProcesses_v2(device d, u32 *count, struct listed *out) { return list(d, GRAPHICS, count, out); }

struct pci { char legacy[16]; u32 domain, bus, device, id, subsystem; char bus_id[32]; };
int nvmlDeviceGetPciInfo_v3(device d, struct pci *out) {
    GPU(d);
    memset(out, 0, sizeof *out);
    out->bus = (u32)(size_t)d;
    snprintf(out->bus_id, sizeof out->bus_id, "00000000:%02X:00.0", out->bus & 0xff);
    return SUCCESS;
}
