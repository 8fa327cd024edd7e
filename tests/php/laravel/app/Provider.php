<?php

namespace App;

use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Broadcast;
use Illuminate\Support\Facades\Route;
use Illuminate\Support\ServiceProvider;

class Provider extends ServiceProvider
{
    public function boot()
    {
        Auth::provider('numbers', fn () => User::provider());
        Broadcast::routes();
        require base_path('routes/channels.php');
        Route::middleware('web')->group(base_path('routes/web.php'));
    }
}
