"""What operators look into and mend: functions that return data, whoever shows it."""
