"""What every gRPC server of this project shares."""
