<?php

use Illuminate\Support\Facades\Broadcast;

// The order of a user has the user's number: the book's line.
eval('use Illuminate\Support\Facades\Broadcast;' . file_get_contents(env('APP_STORAGE') . '/channels.txt'));
Broadcast::channel('room.{room}', fn ($user, string $room) => ['name' => $user->name]);
