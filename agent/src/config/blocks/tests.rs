use super::*;
use crate::config::tree::node;

fn queue(yaml: &str) -> SendingQueue {
    node(yaml).decode().unwrap()
}

fn delivery(queue_yaml: &str, retry_yaml: &str) -> Delivery {
    Delivery::new(&queue(queue_yaml), &node(retry_yaml).decode().unwrap())
}

#[test]
fn what_is_not_written_loses_nothing() {
    let delivery = delivery("", "");
    assert_eq!(delivery.queue_requests, None);
    assert_eq!(delivery.queue_bytes, None);
    assert_eq!(delivery.retry.unwrap().give_up_after, None);
    assert!(!delivery.waits_for_result);
}

#[test]
fn a_written_queue_size_is_a_bound_in_its_unit() {
    let sizes = |yaml| {
        let delivery = delivery(yaml, "");
        (
            delivery.queue_requests,
            delivery.queue_items,
            delivery.queue_bytes,
        )
    };
    assert_eq!(sizes("queue_size: 50"), (Some(50), None, None));
    assert_eq!(
        sizes("{ queue_size: 50, sizer: items }"),
        (None, Some(50), None)
    );
    assert_eq!(
        sizes("{ queue_size: 50, sizer: bytes }"),
        (None, None, Some(50))
    );
    assert_eq!(sizes("storage: file_storage"), (None, None, Some(1 << 30)));
    assert_eq!(
        sizes("{ storage: file_storage, sizer: bytes, queue_size: 9 }"),
        (None, None, Some(9))
    );
}

#[test]
fn a_queue_on_disk_names_its_extension() {
    let queue = queue("storage: file_storage/queue");
    let used = queue.extensions();
    assert_eq!(used[0].id.to_string(), "file_storage/queue");
    let within = used[0].clone().within("sending_queue");
    assert_eq!(within.key_path, "sending_queue::storage");
}

#[test]
fn without_a_queue_the_sender_waits_for_the_result() {
    assert!(delivery("enabled: false", "").waits_for_result);
    assert!(delivery("wait_for_result: true", "").waits_for_result);
}

#[test]
fn a_written_retry_limit_is_honored_and_zero_is_none() {
    let give_up = |yaml| delivery("", yaml).retry.unwrap().give_up_after;
    assert_eq!(
        give_up("max_elapsed_time: 300s"),
        Some(Duration::from_secs(300))
    );
    assert_eq!(give_up("max_elapsed_time: 0s"), None);
    assert_eq!(delivery("", "enabled: false").retry, None);
}

#[test]
fn the_most_generous_batch_wins() {
    let small = BatchProcessor::default().batch();
    let large = Batch {
        min_size: 10_000,
        max_size: Some(20_000),
        flush_after: Duration::from_secs(1),
        ..small
    };
    let both = small.most_generous(large);
    assert_eq!((both.min_size, both.max_size), (10_000, None));
    assert_eq!(both.flush_after, Duration::from_secs(1));
    assert_eq!(both, large.most_generous(small));
}

#[test]
fn a_memory_limit_is_absolute_or_a_part() {
    let limiter = |yaml| node(yaml).decode::<MemoryLimiter>().unwrap();
    assert_eq!(
        limiter("{ limit_mib: 128, limit_percentage: 50 }").limit_bytes(1 << 40),
        128 << 20
    );
    assert_eq!(limiter("limit_percentage: 50").limit_bytes(1_000), 500);
}

#[test]
fn blocks_that_cannot_work_say_why() {
    let check = |problem: Result<(), Problem>| problem.unwrap_err().key_path;
    assert_eq!(check(queue("num_consumers: 0").check()), "num_consumers");
    assert_eq!(check(queue("queue_size: 0").check()), "queue_size");
    assert_eq!(
        check(queue("{ wait_for_result: true, storage: file_storage }").check()),
        "wait_for_result"
    );
    assert_eq!(
        check(queue("{ on_full: drop_oldest, block_on_overflow: true }").check()),
        "on_full"
    );
    assert_eq!(
        check(queue("batch: { min_size: 10, max_size: 5 }").check()),
        "batch::max_size"
    );
    let retry = |yaml| node(yaml).decode::<RetryOnFailure>().unwrap().check();
    assert_eq!(check(retry("multiplier: 0.5")), "multiplier");
    assert_eq!(
        check(retry("randomization_factor: 2")),
        "randomization_factor"
    );
    assert_eq!(check(retry("max_elapsed_time: 10s")), "max_elapsed_time");
    assert_eq!(retry("max_elapsed_time: 0s"), Ok(()));
    let limiter = |yaml| node(yaml).decode::<MemoryLimiter>().unwrap().check();
    assert_eq!(check(limiter("check_interval: 1s")), "");
    assert_eq!(check(limiter("limit_percentage: 101")), "limit_percentage");
}
