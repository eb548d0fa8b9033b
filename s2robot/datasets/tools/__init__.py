"""What people do with datasets: look at them, check them, divide, join and convert them."""
