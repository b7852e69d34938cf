output "schedules" {
  description = "When what happens, by step."
  value       = { for name, schedule in local.schedules : name => "${schedule.expression} ${schedule.target}" }
}

output "hours_per_week" {
  description = "How long the lab is awake; the price of the soft and lab profiles follows from it."
  value       = 5 * ((local.minutes.sleep_at - local.minutes.wake_at + 1440) % 1440) / 60
}
