/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The kernel's types as far as the BPF programs read them, the same for every architecture. Written by hand: each
 * struct names only the fields we use, CO-RE finds their offsets in the running kernel's BTF at load. A field
 * that only some kernels have is looked for with bpf_core_field_exists(). */
#ifndef SONDE_KERNEL_TYPES_H
#define SONDE_KERNEL_TYPES_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct list_head {
	struct list_head *next, *prev;
};

struct hlist_head {
	struct hlist_node *first;
};

/* Files. */

struct super_block {
	unsigned long s_magic;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
	struct super_block *i_sb;
};

struct file_operations;

struct file {
	const struct file_operations *f_op;
	void *private_data;
	struct inode *f_inode;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

/* Sockets. */

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	unsigned long skc_flags;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	__u16 sk_type;
	__u16 sk_protocol;
	__u8 sk_shutdown;
	int sk_err;
	int sk_err_soft;
	atomic_t sk_drops;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	int sk_wmem_queued;
	int sk_sndbuf;
};

struct socket {
	struct sock *sk;
};

struct socket_alloc {
	struct socket socket; /* first */
	struct inode vfs_inode;
};

struct sockaddr_un {
	char sun_path[108];
};

struct unix_address {
	int len; /* with the two bytes of the family */
	struct sockaddr_un name[];
};

struct unix_sock {
	struct sock sk; /* first */
	struct unix_address *addr;
	struct sock *peer;
};

struct inet_connection_sock {
	__u8 icsk_retransmits;
	struct {
		__u32 lrcvtime; /* jiffies */
		__u16 rcv_mss;
	} icsk_ack;
};

struct minmax_sample {
	__u32 t;
	__u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	__u32 write_seq;
	__u32 snd_una;
	__u32 snd_nxt;
	__u32 rcv_nxt;
	__u32 rcv_wup;
	__u32 rcv_wnd;
	__u32 copied_seq;
	__u32 srtt_us; /* eighths of a microsecond */
	struct minmax rtt_min;
	__u32 total_retrans;
	__u32 chrono_start;   /* jiffies */
	__u32 chrono_stat[3]; /* the same; enum tcp_chrono, from 1 */
	__u8 chrono_type : 2; /* a byte of its own on newer kernels */
	__u64 bytes_received;
	__u64 bytes_sent;
	__u64 bytes_acked;
	__u64 bytes_retrans;
};

struct sk_buff;

/* Processes. */

struct mm_struct {
	unsigned long arg_start, arg_end, env_start, env_end;
};

struct taskstats {
	__u64 cpu_delay_total;
};

struct signal_struct {
	atomic_t live;
	struct taskstats *stats;
};

struct kernfs_node {
	__u64 id;
	const char *name;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct sched_entity {
	__u64 exec_start;
	__u64 sum_exec_runtime;
	__u64 nr_migrations;
};

struct sched_info {
	unsigned long long run_delay;
};

struct cfs_bandwidth {
	__u64 throttled_time;
};

struct task_group {
	struct task_group *parent;
	struct cfs_bandwidth cfs_bandwidth;
};

struct task_delay_info {
	__u64 blkio_delay;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	unsigned int
		on_cpu; /* an int, and a byte on newer kernels: libbpf narrows loads of unsigned ones only */
	void *stack;
	unsigned int flags;
	unsigned in_iowait : 1;
	unsigned in_memstall : 1;
	struct task_delay_info *delays;
	struct sched_entity se;
	struct sched_info sched_info;
	struct task_group *sched_task_group;
	unsigned long nvcsw;
	unsigned long nivcsw;
	unsigned long min_flt;
	unsigned long maj_flt;
	struct mm_struct *mm;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	__u64 start_boottime;
	char comm[16];
	struct files_struct *files;
	struct signal_struct *signal;
	struct css_set *cgroups;
	struct thread_struct thread;
};

/* Before 2f064a59a11f ("sched: Change task_struct::state"), 5.14. */
struct task_struct___before_5_14 {
	volatile long state;
};

struct linux_binprm {
	const char *filename;
};

/* Perf tracepoints: what include/trace/events/ puts into their records. */

struct trace_event_raw_sys_exit {
	long id;
	long ret;
};

struct trace_event_raw_inet_sock_set_state {
	const void *skaddr;
	int oldstate;
	int newstate;
};

struct trace_event_raw_sched_process_exec {
	__u32 __data_loc_filename; /* offset from the record's start in the lower half */
};

struct trace_event_raw_task_newtask {
	int pid;
	unsigned long clone_flags;
};

/* Iterators. */

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
};

#pragma clang attribute pop

/* Numbers that the kernel keeps in headers which are not for export. */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
};

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define SOCKFS_MAGIC 0x534F434B
#define S_IFMT 00170000
#define S_IFSOCK 0140000
#define SOCK_STREAM 1
#define SOCK_SEQPACKET 5
#define RCV_SHUTDOWN 1
#define SHUTDOWN_MASK 3
#define SOCK_DEAD 0 /* bit of skc_flags: nobody has the socket open */
#define SOCK_DONE 1 /* bit of skc_flags: the peer's FIN was received */
#define CLONE_THREAD 0x10000
#define THREAD_SIZE 16384 /* of a kernel stack, but for pages of 64 KiB and CONFIG_KASAN */
#define PF_EXITING 0x00000004
#define PF_MEMALLOC 0x00000800 /* it reclaims memory */
#define PF_KTHREAD 0x00200000
#define TASK_RUNNING 0
#define MSG_PEEK 2
#define MSG_ERRQUEUE 0x2000
#define MSG_TRUNC 0x20

/* User memory, as system calls take it; 64-bit callers only. */
struct user_iovec {
	__u64 base;
	__u64 length;
};

struct user_msghdr {
	__u64 name;
	__u32 name_length;
	__u32 _pad;
	__u64 iov;
	__u64 iov_length;
	__u64 control;
	__u64 control_length;
	__u32 flags;
	__u32 _pad2;
};

/* The part of a socket address that IPv4 and IPv6 have in common; IPv6 has its address behind it. */
struct user_sockaddr {
	__u16 family;
	__be16 port;
	__u8 addr[4]; /* IPv6: the flow label */
};

struct user_mmsghdr {
	struct user_msghdr header;
	__u32 length; /* bytes moved, filled by the kernel */
	__u32 _pad;
};

#endif
